"""Answers to Envoy as bytes, put together from the bytes that proxies share.

No protobuf object is built: a DeltaDiscoveryResponse is the concatenation of its fields, and a
resource's field is a short prefix (lengths, name, version) before the body that the pipeline
serialized once. Field numbers are those of envoy/service/discovery/v3/discovery.proto.

    resources: [prefix body][prefix body]...   shared by all streams that get the same change
    type_url, removed_resources, nonce         a few bytes of the stream's own

`changes` decides what is in an answer; `delta` and `state_of_the_world` call the builders here.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from kuma.envoy.snapshot import EnvoyResource, TypeUrl


def varint(number: int) -> bytes:
    """Base 128, least significant group first."""
    if number < 0x80:
        return bytes((number,))
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field; `number` is under 16, so that its tag is one byte."""
    return bytes((number << 3 | 2,)) + varint(len(content)) + content


def text_field(number: int, content: str) -> bytes:
    return field(number, content.encode())


def delta_entries(resources: Iterable[EnvoyResource]) -> bytes:
    """The `resources` of a DeltaDiscoveryResponse: Resource messages with name and version."""
    parts = []
    for resource in resources:
        parts.append(_delta_prefix(resource))
        parts.append(resource.body)
    return b"".join(parts)


def state_entries(resources: Iterable[EnvoyResource]) -> bytes:
    """The `resources` of a DiscoveryResponse: bare Any messages."""
    parts = []
    for resource in resources:
        parts.append(_state_prefix(resource))
        parts.append(resource.body)
    return b"".join(parts)


def delta_response(
    type_url: TypeUrl, entries: bytes, removed: Iterable[str], *, nonce: str, tail: bytes = b""
) -> bytes:
    return b"".join(
        (
            entries,
            _TYPE[type_url],
            *[text_field(6, name) for name in removed],
            tail,
            b"\x2a",
            bytes((len(nonce),)),
            nonce.encode(),
        )
    )


def state_response(
    type_url: TypeUrl, entries: bytes, *, version: str, nonce: str, tail: bytes = b""
) -> bytes:
    return b"".join(
        (
            text_field(1, version),
            entries,
            _TYPE[type_url],
            tail,
            text_field(5, nonce),
        )
    )


def control_plane_field(identifier: str, *, delta: bool) -> bytes:
    """`control_plane.identifier`, which Envoy shows as the statistic `control_plane.identifier`."""
    return field(7 if delta else 6, text_field(1, identifier)) if identifier else b""


def version_of(resources: Sequence[EnvoyResource]) -> str:
    """A version for a set of resources that depends on nothing but their names and versions, so
    that it survives a restart and is the same on every instance."""
    digest = blake2b(digest_size=8)
    for line in sorted(f"{each.name}\0{each.version}\n" for each in resources):
        digest.update(line.encode())
    return digest.hexdigest()


def _delta_prefix(resource: EnvoyResource) -> bytes:
    """Everything of the entry before the body; remembered on the resource, so that it lives
    exactly as long."""
    remembered: bytes | None = vars(resource).get("_delta_prefix")
    if remembered is not None:
        return remembered
    any_start = _any_start(resource)
    inner = b"".join(
        (
            text_field(3, resource.name),
            text_field(1, resource.version),
            b"\x12",
            varint(len(any_start) + len(resource.body)),
            any_start,
        )
    )
    prefix = b"\x12" + varint(len(inner) + len(resource.body)) + inner
    vars(resource)["_delta_prefix"] = prefix
    return prefix


def _state_prefix(resource: EnvoyResource) -> bytes:
    any_start = _any_start(resource)
    return b"\x12" + varint(len(any_start) + len(resource.body)) + any_start


def _any_start(resource: EnvoyResource) -> bytes:
    return text_field(1, resource.type_url) + b"\x12" + varint(len(resource.body))


_TYPE = {type_url: text_field(4, type_url) for type_url in TypeUrl}
