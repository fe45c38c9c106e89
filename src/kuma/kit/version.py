"""Which version of the program this is. The distribution takes its version from here.

A constant, since asking the installed distribution's metadata costs every program 30 ms at its start.
"""

PRODUCT = "Kuma"
VERSION = "2.14.3"


def program_version() -> str:
    return VERSION


def build_info() -> dict[str, str]:
    """In the form of the bootstrap protocol. A wheel does not know its commit."""
    return {
        "version": VERSION,
        "gitTag": "unknown",
        "gitCommit": "unknown",
        "buildDate": "unknown",
    }
