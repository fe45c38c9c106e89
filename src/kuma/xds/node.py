"""Who is calling: Envoy's `node`, as the bootstrap filled it in, to a ProxyNode."""

from typing import Any

from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.struct_pb2 import Struct, Value

from kuma.pipeline.delivery import ProxyNode, ProxyRefused


def parse_node(node: Node) -> ProxyNode:
    """Read `<mesh>.<name>`; the name may hold dots, and zone proxies have an empty mesh.

    Raises ProxyRefused (`invalid_argument`) if there is no such identifier.
    """
    mesh, dot, name = node.id.partition(".")
    if not dot or not name:
        raise ProxyRefused(
            "invalid_argument", f'node id "{node.id}" is not of the form <mesh>.<name>'
        )
    return ProxyNode(node_id=node.id, mesh=mesh, name=name, metadata=plain_struct(node.metadata))


def plain_struct(struct: Struct) -> dict[str, Any]:
    """JSON values; whole numbers as int, since ports arrive as doubles."""
    return {key: _plain(value) for key, value in struct.fields.items()}


def _plain(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return plain_struct(value.struct_value)
        case "list_value":
            return [_plain(each) for each in value.list_value.values]
        case _:
            return None
