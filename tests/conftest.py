"""Fixtures for every test, and how many examples property tests try."""

import os

from hypothesis import settings

from tests.support.postgres import outage, postgres

__all__ = ["outage", "postgres"]

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
"""Its handlers run in each child that is started as another user, and may end it before its program."""

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
settings.register_profile("long", max_examples=5_000, deadline=None)
"""pytest --hypothesis-profile=long tests/kit tests/pipeline tests/xds"""
