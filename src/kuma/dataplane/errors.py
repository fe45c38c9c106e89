"""What ends `kuma-dp`. The class says what the caller should do.

DataPlaneError       tell the user, exit with `exit_code`
├── BadDefinition    the dataplane file or template is wrong
├── BadToken         the token cannot be used
├── Refused          the control plane said no: asking again would not help
├── NotReached       asking again may help; kept asking until told otherwise
└── EnvoyFailed      Envoy is missing, or has ended
"""


class DataPlaneError(Exception):
    exit_code = 1


class BadDefinition(DataPlaneError):
    """`source` is the file or flag that it came from."""

    def __init__(self, source: str, message: str) -> None:
        super().__init__(f"{source}: {message}")


class BadToken(DataPlaneError):
    pass


class Refused(DataPlaneError):
    pass


class NotReached(DataPlaneError):
    """`kind` groups failures that deserve one log line together, not one each."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class EnvoyFailed(DataPlaneError):
    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
