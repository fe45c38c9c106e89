"""What went wrong where a policy was turned into configuration, although it had been accepted."""

from kuma.kit.value import value

LEFT_OUT = "is as if it were not there"
CLOSED = "lets nobody through instead"
STRICT = "is strict instead"


@value
class Failure:
    """`policy` is the kind, empty for what is no policy's; `part` what it should have changed;
    `outcome` what became of that."""

    policy: str
    part: str
    error: str
    outcome: str = LEFT_OUT

    def __str__(self) -> str:
        return f"could not be applied to {self.part}; it {self.outcome}: {self.error}"


def told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
