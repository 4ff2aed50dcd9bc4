"""Where one page of a list ended, in a form that callers hand back as it is."""

import base64
import posixpath
import re
from dataclasses import dataclass

import orjson

from towline_sandbox.embedded.model.failures import bad_request

_INVALID = "invalid continue token: continue key is not valid"
_VERSION = "meta.k8s.io/v1"
_BASE64 = re.compile(r"[-_A-Za-z0-9]*")
LATEST = -1
"""Revision of a token that goes on with whatever is there by then."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list.

    Args:
        revision: Of the list; `LATEST` if that is not known any more.
        start: The first path that comes after it.
    """

    revision: int
    start: str


def token_for(place: Place) -> str:
    """Return the token for a place."""
    told = {"v": _VERSION, "rv": place.revision, "start": place.start}
    return base64.urlsafe_b64encode(orjson.dumps(told)).decode().rstrip("=")


def parse_token(token: str) -> Place:
    """Return the place a token is for.

    Raises:
        ApiFailure: It is no token.
    """
    good = _BASE64.match(token)
    end = good.end() if good else 0
    if end != len(token) or end % 4 == 1:
        raise bad_request(f"{_INVALID}: illegal base64 data at input byte {end}")
    try:
        told = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except orjson.JSONDecodeError as error:
        raise bad_request(f"{_INVALID}: {error}") from None
    if not isinstance(told, dict) or told.get("v") != _VERSION:
        found = told.get("v", "") if isinstance(told, dict) else ""
        raise bad_request(f"{_INVALID}: server does not recognize this encoded version {found}")
    revision, start = told.get("rv", 0), told.get("start", "")
    if not revision:
        raise bad_request(
            f"{_INVALID}: incorrect encoded start resourceVersion (version {_VERSION})"
        )
    if not start:
        raise bad_request(f"{_INVALID}: encoded start key empty (version {_VERSION})")
    rooted = f"/{start.lstrip('/')}"
    if posixpath.normpath(rooted) != rooted:
        raise bad_request(f"{_INVALID}: {start}")
    return Place(revision, rooted[1:])
