"""Fixtures for every test."""

from tests.support.postgres import postgres

__all__ = ["postgres"]
