"""What was measured, as a table and as JSON."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass
class Figure:
    what: str
    measured: str
    budget: str = "-"


def show(title: str, figures: Sequence[Figure]) -> None:
    cores = len(os.sched_getaffinity(0))
    table = Table("what", "measured", "budget", title=f"{title}; on {cores} cores")
    for figure in figures:
        table.add_row(figure.what, figure.measured, figure.budget)
    Console(width=118).print(table)


def write(file: Path, title: str, figures: Sequence[Figure]) -> None:
    document = {"title": title, "figures": [asdict(figure) for figure in figures]}
    file.write_text(json.dumps(document, indent=2) + "\n")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def mebibytes(kibibytes: float) -> str:
    return f"{kibibytes / 1024:.0f} MiB"


def share(part: float) -> str:
    return f"{part * 100:.1f}% of a core"


def percentile(times: Sequence[float], part: float) -> float:
    """The value that `part` of the times do not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def spread(times: Sequence[float]) -> str:
    """p50, p99 and the maximum of durations in seconds."""
    if not times:
        return "nothing came"
    points = (percentile(times, 0.5), percentile(times, 0.99), max(times))
    return " / ".join(f"{each * 1000:.0f}" for each in points) + " ms"
