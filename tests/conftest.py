"""Fixtures for every test, and how many examples property tests try."""

from hypothesis import settings

from tests.support.postgres import outage, postgres

__all__ = ["outage", "postgres"]

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
settings.register_profile("long", max_examples=5_000, deadline=None)
"""pytest --hypothesis-profile=long tests/kit tests/pipeline tests/xds"""
