"""Protobuf messages as Envoy and its xDS protocol take them: packed, versioned, deterministic.

Every message is serialized deterministically, so that equal plans give equal bytes, and the
version is a hash of the bytes, so that a proxy is sent only what changed.
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import UInt32Value

from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.plan.tags import Tags


def as_resource(type_url: TypeUrl, name: str, message: Message) -> EnvoyResource:
    body = message.SerializeToString(deterministic=True)
    return EnvoyResource(type_url, name, blake2b(body, digest_size=8).hexdigest(), body)


def pack(message: Message) -> Any:
    return Any(
        type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        value=message.SerializeToString(deterministic=True),
    )


@lru_cache(maxsize=256)
def duration(of: timedelta) -> Duration:
    """Shared: protobuf copies a message that is put into another one."""
    micros = of // timedelta(microseconds=1)
    return Duration(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def uint(number: int) -> UInt32Value:
    return UInt32Value(value=number)


def struct(pairs: Tags | Iterable[tuple[str, str]]) -> Struct:
    made = Struct()
    for key, text in pairs:
        made.fields[key].string_value = text
    return made
