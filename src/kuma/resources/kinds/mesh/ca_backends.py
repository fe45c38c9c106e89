"""What a certificate authority backend of a Mesh implies for other resources."""

import re
from datetime import timedelta

from kuma.kit.durations import LONGEST
from kuma.resources.kinds.mesh.model import CertificateAuthorityBackend

BUILTIN = "builtin"
PROVIDED = "provided"

_DURATION = re.compile(r"([0-9]{1,18})(y|w|d|h|m|s|ms)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}


def parse_expiration(text: str) -> timedelta:
    """One number and one unit, as in `rotation.expiration`: `10y`, `2w`, `1d`, `12h`; `0` is zero.

    Raises ValueError.
    """
    if text == "0":
        return timedelta(0)
    match = _DURATION.fullmatch(text)
    unit = _UNITS[match[2]] if match else timedelta(0)
    if match is None or int(match[1]) > LONGEST // unit:
        msg = f'not a valid duration string: "{text[:50]}"'
        raise ValueError(msg)
    return int(match[1]) * unit


def builtin_secret_names(mesh: str, backend: str) -> tuple[str, str]:
    """The Secrets that hold the certificate and the key of a builtin authority."""
    return f"{mesh}.ca-builtin-cert-{backend}", f"{mesh}.ca-builtin-key-{backend}"


def used_secrets(mesh: str, backend: CertificateAuthorityBackend) -> frozenset[str]:
    """The names of the mesh's Secrets without which `backend` cannot work."""
    if backend.type == BUILTIN:
        return frozenset(builtin_secret_names(mesh, backend.name))
    if backend.type == PROVIDED:
        conf = backend.provided_conf()
        return frozenset(each.secret for each in (conf.cert, conf.key) if each and each.secret)
    return frozenset()
