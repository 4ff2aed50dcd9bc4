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
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from towline_api.errors import TowlineError, TransientError


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
    finding: ClassVar[str] = "unexpected answer"
    """What messages say was found."""

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
    finding = "the server did not understand the request"


class Unauthorized(ApiError):
    """The server does not accept our credential: expired, revoked, or of another cluster."""

    default_status = 401
    default_reason = "Unauthorized"
    finding = (
        "the credential was not accepted; check that it is of this cluster and has not expired"
    )


class Forbidden(ApiError):
    """The server knows who we are, and we may not do this."""

    default_status = 403
    default_reason = "Forbidden"
    finding = "this identity is not allowed to"


class NamespaceTerminating(Forbidden):
    """Nothing can be created in a namespace that is being deleted."""

    finding = "its namespace is being deleted"


class NotFound(ApiError):
    """The object does not exist."""

    default_status = 404
    default_reason = "NotFound"
    finding = "not found"


class NotServed(NotFound):
    """The server does not serve this kind at all; most often its CRD is not installed (yet)."""

    finding = "the server does not serve this kind; check that its CRD is installed"


class MethodNotAllowed(ApiError):
    """The server serves the kind, but not this verb on it."""

    default_status = 405
    default_reason = "MethodNotAllowed"
    finding = "the server does not offer this verb"


class AlreadyExists(ApiError):
    """An object of that name exists."""

    default_status = 409
    default_reason = "AlreadyExists"
    finding = "it exists already"


class Conflict(ApiError):
    """The object changed since it was read, or another field manager owns a field."""

    default_status = 409
    default_reason = "Conflict"
    finding = "it changed since it was read; read it again"


class Gone(ApiError):
    """The resource version or page token asked for is no longer kept; list again."""

    default_status = 410
    default_reason = "Expired"
    finding = "the resource version is no longer kept; list again"


class TooLarge(ApiError):
    """The object is larger than the server takes."""

    default_status = 413
    default_reason = "RequestEntityTooLarge"
    finding = "the object is too large"


class Invalid(ApiError):
    """The object breaks its schema or a rule of its kind."""

    default_status = 422
    default_reason = "Invalid"
    finding = "the object is not valid"


class Throttled(ApiError, TransientError):
    """The server is busy and asks us to come back later."""

    default_status = 429
    default_reason = "TooManyRequests"
    finding = "the server is busy"


class ServerError(ApiError, TransientError):
    """The server failed, or something behind it (etcd, an admission webhook) did."""

    default_status = 500
    default_reason = "InternalError"
    finding = "the server failed"


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
