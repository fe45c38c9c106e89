"""Request bodies: JSON of a limited size, or an error that says where it is broken."""

from functools import partial
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from kuma.api.errors import MalformedBody, TooLarge, UnsupportedMediaType
from kuma.kit import aside

MAX_BODY = aside.LARGEST


async def read_json_object(request: Request, *, called: str) -> dict[str, Any]:
    """Raises what `read_json_body` and `parse_json_object` do."""
    body = await read_json_body(request)
    return await aside.work(len(body), partial(parse_json_object, body, called=called))


async def read_json_body(request: Request) -> bytes:
    """Raises TooLarge and UnsupportedMediaType.

    YAML is not accepted, as in Kuma: kumactl turns it into JSON.
    """
    _check_media_type(request)
    return await read_body(request)


def parse_json_object(body: bytes, *, called: str) -> dict[str, Any]:
    """`called` names the thing in messages. Raises MalformedBody."""
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedBody(f"invalid {called}: malformed JSON: {error}") from None
    if not isinstance(found, dict):
        raise MalformedBody(f"invalid {called}: must be a JSON object, is {_type_name(found)}")
    return found


async def read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise TooLarge(_too_large())
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLarge(_too_large())
    return bytes(body)


def _check_media_type(request: Request) -> None:
    given = request.headers.get("content-type", "")
    media = given.partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        what = f'is "{media}"' if media else "is not set"
        raise UnsupportedMediaType(f"the header Content-Type {what}, must be application/json")


def _too_large() -> str:
    return f"the body must not be longer than {MAX_BODY // (1024 * 1024)} MiB"


def _type_name(found: object) -> str:
    if found is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    return names.get(type(found), "an array")
