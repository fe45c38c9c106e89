"""`--update-goldens`: write what is produced instead of comparing with it."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the golden files anew")


@pytest.fixture(scope="session")
def update_goldens(pytestconfig: pytest.Config) -> bool:
    """False also where this file was found too late to add the option."""
    return bool(pytestconfig.getoption("--update-goldens", default=False))
