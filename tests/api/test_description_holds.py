"""The API does what its description says, whatever it is asked: requests made up by Schemathesis.

`KUMA_FUZZ_CASES=300 pytest tests/api/test_description_holds.py` asks for longer, and
`KUMA_FUZZ_SEED=2` for something else.
"""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure, FailureGroup

from tests.support.mesh import ControlPlane, a_control_plane

ORDER = ("PUT", "POST", "GET", "DELETE")
CASES = int(os.environ.get("KUMA_FUZZ_CASES", "4"))
SEED = int(os.environ.get("KUMA_FUZZ_SEED", "1"))
HOLD = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
"""Not that every document that fits the schema is accepted: rules say more than schemas can. Nor that
all else is refused: null counts as absent, and an empty parameter as none, as in Kuma."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def control_plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with a_control_plane(tmp_path_factory.mktemp("cp")) as control_plane:
        yield control_plane


def ask(url: str) -> list[str]:
    """What was wrong with answers, if anything."""
    failures: list[str] = []
    described = schemathesis.openapi.from_url(f"{url}/openapi.json")
    checks = [check for check in CHECKS.get_all() if check.__name__ in HOLD]
    assert len(checks) == len(HOLD)
    session = requests.Session()
    operations = [found.ok() for found in described.get_all_operations()]
    for operation in sorted(operations, key=lambda each: ORDER.index(each.method.upper())):
        modes = GenerationMode if operation.body else (GenerationMode.POSITIVE,)
        for mode in modes:

            @seed(SEED)
            @settings(
                max_examples=CASES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def holds(case: schemathesis.Case) -> None:
                aim(case)
                try:
                    case.call_and_validate(base_url=url, checks=checks, session=session)
                except (Failure, FailureGroup) as found:
                    failures.append(f"{case.as_curl_command()}\n{found!r}")

            holds()
    return failures


def aim(case: schemathesis.Case) -> None:
    """At what there is, or may be made; nothing that has a name is known to whoever makes one up."""
    named = {"mesh": "default", "name": "default", "kri": "kri_m____default_", "service": "web"}
    case.path_parameters = {name: named.get(name, each) for name, each in aimed(case).items()}
    if isinstance(case.body, dict):
        case.body.update({name: named[name] for name in ("mesh", "name") if name in aimed(case)})


def aimed(case: schemathesis.Case) -> dict[str, object]:
    return dict(case.path_parameters or {})


async def test_answers_are_as_described(control_plane: ControlPlane) -> None:
    assert await asyncio.to_thread(ask, control_plane.url) == []
    assert "Traceback" not in control_plane.process.log
