"""Refusals: what goes wrong in a call, as the `Status` object that Kubernetes answers with.

Codes, reasons and sentences are those of Kubernetes' API machinery, since clients go by the first
two and people by the third.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from towline_api.resources import KubeObject, Resource


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with an object.

    Args:
        reason: A word for programs, for example `FieldValueRequired`.
        message: What is wrong, for people.
        field: Path of the field, for example `spec.leaseDurationSeconds`.
    """

    reason: str
    message: str
    field: str

    def as_object(self) -> KubeObject:
        """Return the cause as it stands in `details.causes`."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiFailure(Exception):  # noqa: N818  # it is an answer to a call, not an error of the server
    """A call is refused.

    Args:
        code: HTTP status.
        reason: Kubernetes' word for the refusal, for example `NotFound`; empty where it has none.
        message: The refusal, for people.
        details: `details` of the Status; left out when None, while Kubernetes shows some empty.
        retry_after_seconds: When to try again; becomes the header `Retry-After` as well.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: KubeObject | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: KubeObject = dict(details or {})
        self._has_details = details is not None or retry_after_seconds is not None
        self.retry_after_seconds = retry_after_seconds
        if retry_after_seconds is not None:
            self.details["retryAfterSeconds"] = retry_after_seconds

    def status(self) -> KubeObject:
        """Return the refusal as a Status object."""
        answer: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            answer["reason"] = self.reason
        if self._has_details or self.details:
            answer["details"] = self.details
        answer["code"] = self.code
        return answer


def bad_request(message: str) -> ApiFailure:
    """The call cannot be understood."""
    return ApiFailure(400, "BadRequest", message)


def unauthorized() -> ApiFailure:
    """The caller showed a credential that is not good."""
    return ApiFailure(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str | None, message: str) -> ApiFailure:
    """The caller may not; `message` ends the sentence, for example `User "x" cannot get …`."""
    subject = f"{resource.qualified} {_quoted(name)}" if name else f"{resource.qualified}"
    return ApiFailure(
        403,
        "Forbidden",
        f"{subject} is forbidden: {message}",
        details=_details(resource, name),
    )


def not_found(resource: Resource, name: str) -> ApiFailure:
    """There is no such object."""
    return ApiFailure(
        404,
        "NotFound",
        f"{resource.qualified} {_quoted(name)} not found",
        details=_details(resource, name),
    )


def path_not_found() -> ApiFailure:
    """Nothing is served at this path."""
    return ApiFailure(
        404, "NotFound", "the server could not find the requested resource", details={}
    )


def method_not_allowed(resource: Resource, verb: str) -> ApiFailure:
    """The resource is served, but not with this verb."""
    return ApiFailure(
        405,
        "MethodNotAllowed",
        f"{verb} is not supported on resources of kind {_quoted(resource.qualified)}",
        details=_details(resource, None),
    )


def not_acceptable(accepted: Sequence[str]) -> ApiFailure:
    """The caller takes only formats that are not served."""
    return ApiFailure(
        406,
        "NotAcceptable",
        f"only the following media types are accepted: {', '.join(accepted)}",
    )


def already_exists(resource: Resource, name: str) -> ApiFailure:
    """An object of this name is there already."""
    return ApiFailure(
        409,
        "AlreadyExists",
        f"{resource.qualified} {_quoted(name)} already exists",
        details=_details(resource, name),
    )


def conflict(
    resource: Resource, name: str, message: str, *, causes: Sequence[Cause] = ()
) -> ApiFailure:
    """The object is not as the caller believes it to be."""
    details = _details(resource, name)
    if causes:
        details["causes"] = [cause.as_object() for cause in causes]
    return ApiFailure(
        409,
        "Conflict",
        f"Operation cannot be fulfilled on {resource.qualified} {_quoted(name)}: {message}",
        details=details,
    )


def modified(resource: Resource, name: str) -> ApiFailure:
    """The object changed since the caller read it."""
    return conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try "
        "again",
    )


def expired(message: str) -> ApiFailure:
    """The resource version or continue token is older than what is kept."""
    return ApiFailure(410, "Expired", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiFailure:
    """The body is in a format that is not read here."""
    return ApiFailure(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(accepted)}",
    )


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiFailure:
    """The object breaks rules of its kind; every broken one is named."""
    sentences = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    told = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    details = {
        "name": name,
        "group": resource.group,
        "kind": resource.kind,
        "causes": [cause.as_object() for cause in causes],
    }
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiFailure(
        422,
        "Invalid",
        f"{kind} {_quoted(name)} is invalid: {told}",
        details={key: value for key, value in details.items() if value},
    )


def too_many_requests(message: str, *, retry_after_seconds: int) -> ApiFailure:
    """Too much at once; try again later."""
    return ApiFailure(429, "TooManyRequests", message, retry_after_seconds=retry_after_seconds)


def internal_error(message: str) -> ApiFailure:
    """The server itself, or a webhook of its, failed."""
    return ApiFailure(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        details={"causes": [{"message": message}]},
    )


def not_implemented(message: str) -> ApiFailure:
    """Kubernetes does this, the embedded plane does not: better no answer than a guess."""
    return ApiFailure(501, "NotImplemented", f"the embedded control plane does not {message}")


def unavailable(message: str) -> ApiFailure:
    """The server cannot answer just now."""
    return ApiFailure(503, "ServiceUnavailable", message)


def too_large_resource_version(wanted: int, current: int) -> ApiFailure:
    """The caller asks for a state that has not been reached yet."""
    return ApiFailure(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {wanted}, current: {current}",
        details={
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ]
        },
        retry_after_seconds=1,
    )


def _quoted(name: str | None) -> str:
    return f'"{name}"'


def _details(resource: Resource, name: str | None) -> KubeObject:
    # Kubernetes puts the plural where the field says `kind`, except for invalid objects.
    found = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in found.items() if value}
