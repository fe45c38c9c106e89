"""Fixtures for every test."""

from tests.support.postgres import outage, postgres

__all__ = ["outage", "postgres"]
