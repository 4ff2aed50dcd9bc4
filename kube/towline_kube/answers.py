"""What an answer says: the object in it, or the error that it is."""

from datetime import timedelta
from typing import Any

from towline_api.resources import KubeObject
from towline_kube.errors import (
    AlreadyExists,
    ApiError,
    Attempt,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    MethodNotAllowed,
    NamespaceTerminating,
    NotFound,
    NotServed,
    ServerError,
    Throttled,
    TooLarge,
    Unauthorized,
)
from towline_kube.redaction import quotable
from towline_kube.wire_json import decode

_BY_STATUS: dict[int, type[ApiError]] = {
    kind.default_status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        Gone,
        TooLarge,
        Invalid,
        Throttled,
    )
}


def parse_object(attempt: Attempt, body: bytes) -> KubeObject:
    """Return the object that a successful answer holds.

    Raises:
        ServerError: It holds none: something in between answered, or cut it.
    """
    try:
        parsed = decode(body)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise ServerError(
            f"{attempt}: the answer is not a JSON object; check that the address is an API "
            "server's and what stands in between",
            verb=attempt.verb,
            object=attempt.object,
        )
    return parsed


def from_status(
    attempt: Attempt,
    *,
    status: int,
    body: bytes | str | dict[str, Any] = b"",
    retry_after: timedelta | None = None,
) -> ApiError:
    """Return the typed error for an answer that is not a success.

    Args:
        attempt: What was tried.
        status: HTTP status; for the ERROR event of a watch, the `code` of its Status.
        body: The answer: a Status object (parsed or as JSON), or whatever a proxy put in its place.
        retry_after: From the `Retry-After` header; else the Status' own `retryAfterSeconds` counts.
    """
    answer = _status_object(body)
    kind = _kind(status, answer)
    finding = "the server gave up waiting" if status == 408 else kind.finding
    reason = str(answer.get("reason") or kind.default_reason)
    said = _said(answer, body)
    message = f"{attempt}: {finding} ({status} {quotable(reason, longest=60)})".replace(" )", ")")
    return kind(
        f"{message}: {said}" if said else message,
        status=status,
        reason=reason,
        verb=attempt.verb,
        object=attempt.object,
        retry_after=retry_after if retry_after is not None else _retry_after_seconds(answer),
    )


def _kind(status: int, answer: dict[str, Any]) -> type[ApiError]:
    kind = _BY_STATUS.get(status)
    if kind is None:
        return ServerError if status == 408 or status >= 500 else ApiError
    if kind is Conflict and answer.get("reason") == AlreadyExists.default_reason:
        return AlreadyExists
    if kind is Forbidden and "NamespaceTerminating" in _causes(answer):
        return NamespaceTerminating
    if kind is NotFound and not answer:
        # For a missing object the server sends a Status; for a path nobody serves, plain text.
        return NotServed
    return kind


def _status_object(body: bytes | str | dict[str, Any]) -> dict[str, Any]:
    """Return the Status in `body`, or an empty dict if there is none."""
    if isinstance(body, bytes | str):
        try:
            body = decode(body)
        except (ValueError, RecursionError):
            return {}
    return body if isinstance(body, dict) and body.get("kind") == "Status" else {}


def _details(answer: dict[str, Any]) -> dict[str, Any]:
    details = answer.get("details")
    return details if isinstance(details, dict) else {}


def _causes(answer: dict[str, Any]) -> set[str]:
    causes = _details(answer).get("causes")
    if not isinstance(causes, list):
        return set()
    return {str(cause.get("reason")) for cause in causes if isinstance(cause, dict)}


def _retry_after_seconds(answer: dict[str, Any]) -> timedelta | None:
    seconds = _details(answer).get("retryAfterSeconds")
    return timedelta(seconds=seconds) if isinstance(seconds, int) and seconds > 0 else None


def _said(answer: dict[str, Any], body: bytes | str | dict[str, Any]) -> str:
    """Return the server's own words, fit for a message; what a proxy says in HTML is left out."""
    if answer:
        return quotable(str(answer.get("message") or ""))
    text = body.decode("utf-8", errors="replace") if isinstance(body, bytes) else body
    if not isinstance(text, str) or "<" in text:
        return ""
    return quotable(text)
