"""The fixture of a store in memory."""

from tests.support.site import site

__all__ = ["site"]
