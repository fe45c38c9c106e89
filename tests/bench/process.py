"""What a process costs, read from /proc."""

from contextlib import suppress
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Of all threads, to the nanosecond (schedstat), which /proc/<pid>/stat has not."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / 1e9


def memory(pid: int, field: str = "VmRSS") -> int:
    """Resident memory in KiB; `VmHWM` for the highest so far."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])
