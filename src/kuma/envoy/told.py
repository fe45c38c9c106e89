"""What kuma-dp is told. Apart from the listener that tells it, since shapers say it."""

import json
from typing import Any

from kuma.kit.value import value


@value
class Told:
    """`body` is JSON, and answered at `path`. `work_dir` is that of the proxy's kuma-dp."""

    path: str
    body: str
    work_dir: str
    is_unified: bool = False


def as_body(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
