"""What a label may look like: Kubernetes' rules, in Kubernetes' words.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from kuma.resources.match import find_subdomain_errors
from kuma.resources.violation import MOST, Violation

_MAX = 63
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME = re.compile(_QUALIFIED)
_NAME_HINT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_QUALIFIED}')"
)
_VALUE = re.compile(f"({_QUALIFIED})?")
_VALUE_HINT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    f"'12345', regex used for validation is '({_QUALIFIED})?')"
)


def check_labels(labels: Mapping[str, str]) -> Iterator[Violation]:
    """`MOST` violations at most."""
    return islice(_check_labels(labels), MOST)


def _check_labels(labels: Mapping[str, str]) -> Iterator[Violation]:
    for key, label in sorted(labels.items()):
        field = f'labels["{key}"]'
        for message in (*_key_errors(key), *_value_errors(label)):
            yield Violation(field, message)


def _key_errors(key: str) -> Iterator[str]:
    *prefixes, name = key.split("/")
    if len(prefixes) > 1:
        tail = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        yield f"a valid label key {_NAME_HINT}{tail}"
        return
    for prefix in prefixes:
        if not prefix:
            yield "prefix part must be non-empty"
        else:
            yield from (f"prefix part {message}" for message in find_subdomain_errors(prefix))
    if not name:
        yield "name part must be non-empty"
    elif len(name.encode()) > _MAX:
        yield f"name part must be no more than {_MAX} bytes"
    if not _NAME.fullmatch(name):
        yield f"name part {_NAME_HINT}"


def _value_errors(label: str) -> Iterator[str]:
    if len(label.encode()) > _MAX:
        yield f"must be no more than {_MAX} bytes"
    if not _VALUE.fullmatch(label):
        yield _VALUE_HINT
