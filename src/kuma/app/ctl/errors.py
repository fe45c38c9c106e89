"""What ends a command: one sentence for the user, exit code 1.

CtlError
├── Unreachable  no answer could be had
└── Refused      the control plane answered that it will not
"""

from dataclasses import dataclass


class CtlError(Exception):
    """Root of the tree above. The text is what the user reads after `Error: `."""


class Unreachable(CtlError):
    pass


@dataclass(frozen=True)
class Problem:
    """An answer in the error format of the REST API (reference 2.4)."""

    status: int
    title: str
    detail: str
    violations: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """A sentence, and every violation on a line of its own."""
        detail = "" if self.detail in {"", self.title} else f" ({self.detail})"
        lines = [f"* {field}: {reason}" for field, reason in self.violations]
        return "\n".join([f"{self.title}{detail}", *lines])


class Refused(CtlError):
    def __init__(self, problem: Problem, message: str = "") -> None:
        super().__init__(message or str(problem))
        self.problem = problem
