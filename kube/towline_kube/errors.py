"""What can go wrong when an API server is asked for something.

::

    TowlineError
    └── ApiError                      a call failed; says which, and what was answered
        ├── BadRequest          400
        ├── Unauthorized        401   who we are was not accepted
        ├── Forbidden           403   who we are may not do this
        │   └── NamespaceTerminating
        ├── NotFound            404
        │   └── NotServed             not the object but its whole kind (CRD missing?)
        ├── MethodNotAllowed    405
        ├── AlreadyExists       409
        ├── Conflict            409   changed since it was read
        ├── Gone                410   resource version too old: list again
        ├── TooLarge            413
        ├── Invalid             422
        ├── Throttled           429   also TransientError
        ├── ServerError         5xx   also TransientError
        └── Unreachable         -     also TransientError; no answer, or half of one
            └── UntrustedServer       its certificate is not signed by whom we trust
"""

# ruff: noqa: N818 - the names are the words of the Kubernetes API
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from towline_api.errors import TowlineError, TransientError
from towline_kube.redaction import quotable


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried: the part of an error's message that does not depend on the outcome.

    Args:
        verb: What the client was asked to do, for example `create`.
        object: The object as `Resource.describe` writes it.
        host: Host and port of the API server.
    """

    verb: str
    object: str
    host: str

    def __str__(self) -> str:
        return f"{self.verb} {self.object} on {self.host}"


class ApiError(TowlineError):
    """A call to an API server failed.

    Args:
        message: What was attempted, what was found, what to do.
        status: HTTP status; 0 when there was no answer.
        reason: The server's one-word reason, for example `AlreadyExists`.
        verb: What was attempted, for example `create`.
        object: On which object, as `Resource.describe` writes it.
        retry_after: How long the server asked to be left alone, if it did.
    """

    default_status: ClassVar[int] = 0
    default_reason: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str | None = None,
        verb: str = "",
        object: str = "",  # noqa: A002 - the word of messages and logs for it
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.status = self.default_status if status is None else status
        self.reason = self.default_reason if reason is None else reason
        self.verb = verb
        self.object = object
        self.retry_after = retry_after
        self.follows_lost_answer = False
        """Whether an earlier attempt of the same call got no answer, and may have been done."""


class BadRequest(ApiError):
    """The server could not make sense of the request."""

    default_status = 400
    default_reason = "BadRequest"


class Unauthorized(ApiError):
    """The server does not accept our credential: expired, revoked, or of another cluster."""

    default_status = 401
    default_reason = "Unauthorized"


class Forbidden(ApiError):
    """The server knows who we are, and we may not do this."""

    default_status = 403
    default_reason = "Forbidden"


class NamespaceTerminating(Forbidden):
    """Nothing can be created in a namespace that is being deleted."""


class NotFound(ApiError):
    """The object does not exist."""

    default_status = 404
    default_reason = "NotFound"


class NotServed(NotFound):
    """The server does not serve this kind at all; most often its CRD is not installed (yet)."""


class MethodNotAllowed(ApiError):
    """The server serves the kind, but not this verb on it."""

    default_status = 405
    default_reason = "MethodNotAllowed"


class AlreadyExists(ApiError):
    """An object of that name exists."""

    default_status = 409
    default_reason = "AlreadyExists"


class Conflict(ApiError):
    """The object changed since it was read, or another field manager owns a field."""

    default_status = 409
    default_reason = "Conflict"


class Gone(ApiError):
    """The resource version or page token asked for is no longer kept; list again."""

    default_status = 410
    default_reason = "Expired"


class TooLarge(ApiError):
    """The object is larger than the server takes."""

    default_status = 413
    default_reason = "RequestEntityTooLarge"


class Invalid(ApiError):
    """The object breaks its schema or a rule of its kind."""

    default_status = 422
    default_reason = "Invalid"


class Throttled(ApiError, TransientError):
    """The server is busy and asks us to come back later."""

    default_status = 429
    default_reason = "TooManyRequests"


class ServerError(ApiError, TransientError):
    """The server failed, or something behind it (etcd, an admission webhook) did."""

    default_status = 500
    default_reason = "InternalError"


class Unreachable(ApiError, TransientError):
    """No answer, or no whole one: name, network, TLS, time-out, connection lost.

    Args:
        message: What was attempted, what was found, what to do.
        was_sent: Whether the request may have reached the server: if so, it may have been carried
            out although no answer came back.
        verb: What was attempted.
        object: On which object.
    """

    def __init__(
        self,
        message: str,
        *,
        was_sent: bool = True,
        verb: str = "",
        object: str = "",  # noqa: A002 - the word of messages and logs for it
    ) -> None:
        super().__init__(message, verb=verb, object=object)
        self.was_sent = was_sent


class UntrustedServer(Unreachable):
    """The server's certificate does not verify; nothing was sent.

    Transient all the same: an authority in the middle of being replaced looks like this.
    """


_BY_STATUS: dict[int, tuple[type[ApiError], str]] = {
    400: (BadRequest, "the server did not understand the request"),
    401: (
        Unauthorized,
        "the credential was not accepted; check that it is of this cluster and has not expired",
    ),
    403: (Forbidden, "this identity is not allowed to"),
    404: (NotFound, "not found"),
    405: (MethodNotAllowed, "the server does not offer this verb"),
    408: (ServerError, "the server gave up waiting"),
    409: (Conflict, "it changed since it was read; read it again"),
    410: (Gone, "the resource version is no longer kept; list again"),
    413: (TooLarge, "the object is too large"),
    422: (Invalid, "the object is not valid"),
    429: (Throttled, "the server is busy"),
}


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
    kind, finding = _BY_STATUS.get(status, (None, ""))
    if kind is None:
        if status >= 500:
            kind, finding = ServerError, "the server failed"
        else:
            kind, finding = ApiError, "unexpected answer"
    reason = str(answer.get("reason") or kind.default_reason) if answer else kind.default_reason
    if kind is Conflict and reason == AlreadyExists.default_reason:
        kind, finding = AlreadyExists, "it exists already"
    elif kind is Forbidden and "NamespaceTerminating" in _causes(answer):
        kind, finding = NamespaceTerminating, "its namespace is being deleted"
    elif kind is NotFound and not answer:
        # For a missing object the server sends a Status; for a path nobody serves, plain text.
        kind = NotServed
        finding = "the server does not serve this kind; check that its CRD is installed"
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


def _status_object(body: bytes | str | dict[str, Any]) -> dict[str, Any]:
    """Return the Status in `body`, or an empty dict if there is none."""
    if isinstance(body, bytes | str):
        try:
            body = json.loads(body)
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
