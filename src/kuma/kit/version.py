"""Which version of the program this is, from the installed distribution's metadata."""

from importlib.metadata import PackageNotFoundError, version

PRODUCT = "Kuma"
_DISTRIBUTION = "kuma-mesh"


def program_version() -> str:
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


def build_info() -> dict[str, str]:
    """In the form of the bootstrap protocol. A wheel does not know its commit."""
    return {
        "version": program_version(),
        "gitTag": "unknown",
        "gitCommit": "unknown",
        "buildDate": "unknown",
    }
