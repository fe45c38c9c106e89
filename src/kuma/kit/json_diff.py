"""What must be done to one JSON value to get another, as operations of a JSON patch (RFC 6902).

Whatever is taken away is asked for first, so that the patch fits nothing but that value and tells what
was there: `test` and `remove` with the old value, `add` with the new one, in the order of the paths.
"""

import json
from collections.abc import Iterator
from typing import Any

Operation = dict[str, Any]


def json_diff(old: Any, new: Any, path: str = "") -> Iterator[Operation]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _of_objects(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, path)
    elif not _is_same(old, new):
        yield from _remove(old, path)
        yield _add(new, path)


def _of_objects(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[Operation]:
    for key in sorted(old.keys() | new.keys()):
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in new:
            yield from _remove(old[key], place)
        elif key not in old:
            yield _add(new[key], place)
        else:
            yield from json_diff(old[key], new[key], place)


def _of_lists(old: list[Any], new: list[Any], path: str) -> Iterator[Operation]:
    """What is alike at both ends stays; between, item by item, and then what is left of the longer one."""
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and _is_same(old[start], new[start]):
        start += 1
    end = 0
    while end < shorter - start and _is_same(old[-1 - end], new[-1 - end]):
        end += 1
    common = shorter - end
    for index in range(start, common):
        yield from json_diff(old[index], new[index], f"{path}/{index}")
    for item in old[common : len(old) - end]:
        yield from _remove(item, f"{path}/{common}")
    for index in range(common, len(new) - end):
        yield _add(new[index], f"{path}/{index}")


def _is_same(old: Any, new: Any) -> bool:
    """As JSON: True is not 1."""
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _remove(value: Any, path: str) -> Iterator[Operation]:
    yield {"op": "test", "path": path, "value": value}
    yield {"op": "remove", "path": path, "value": value}


def _add(value: Any, path: str) -> Operation:
    return {"op": "add", "path": path, "value": value}
