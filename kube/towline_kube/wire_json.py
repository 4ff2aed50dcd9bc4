"""JSON as it goes to and comes from an API server."""

import json
from typing import Any

import orjson

# It would write both without being asked, in forms that nobody here chose.
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def decode(text: bytes | str) -> Any:
    """Return what a JSON document says.

    Raises:
        ValueError: It is no JSON document.
        RecursionError: It is nested more deeply than can be read.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # It refuses half characters (`"\\ud800"`), which others may have stored and we must not
        # stumble over for ever.
        return json.loads(text)


def encode(document: object) -> bytes:
    """Return a document as JSON, as short as it can be said.

    Raises:
        TypeError: It holds what JSON has no form for.
        ValueError: It holds itself.
    """
    try:
        return orjson.dumps(document, option=_STRICT)
    except orjson.JSONEncodeError:  # half characters again, and numbers beyond 64 bits
        return json.dumps(document, separators=(",", ":")).encode()
