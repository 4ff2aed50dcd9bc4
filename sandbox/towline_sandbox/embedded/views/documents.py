"""Documents about the API itself: which form the caller takes, and the answer in that form."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import yaml

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import not_acceptable

JSON = "application/json"
YAML = "application/yaml"
FORMATS = (JSON, YAML, "application/vnd.kubernetes.protobuf")
"""What Kubernetes says it has, in refusals. The last one is not written here."""


@dataclass(frozen=True, slots=True)
class Document:
    """An answer that is ready to be sent.

    Args:
        body: The bytes.
        content_type: Their format.
        headers: Further headers.
        status: HTTP status.
    """

    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry of an `Accept` header.

    Args:
        type: Media type, perhaps with `*`.
        parameters: What stands behind it, without `q`.
        weight: How much the caller likes it.
    """

    type: str
    parameters: Mapping[str, str]
    weight: float = 1.0

    def covers(self, media_type: str) -> bool:
        """Tell whether a document of this type will do."""
        main = media_type.partition("/")[0]
        return self.type in (media_type, f"{main}/*", "*/*")


def accepted(header: str | None) -> Sequence[MediaRange]:
    """Return the entries of an `Accept` header, the best liked first; anything if there is none."""
    ranges = sorted(_ranges(header or ""), key=lambda found: -found.weight)
    return ranges or (MediaRange("*/*", {}),)


def _ranges(header: str) -> Iterator[MediaRange]:
    for entry in header.split(","):
        type_, *parameters = (part.strip() for part in entry.split(";"))
        if not type_:
            continue
        found = {
            name.strip(): value.strip().strip('"')
            for name, _, value in (parameter.partition("=") for parameter in parameters)
        }
        try:
            weight = float(found.pop("q", "1"))
        except ValueError:
            weight = 1.0
        yield MediaRange(type_, found, weight)


def in_accepted_form(
    document: KubeObject, *, accept: str | None, transformed: str | None = None
) -> Document:
    """Return a document as JSON or YAML, whichever the caller likes better.

    Args:
        document: What to send.
        accept: The `Accept` header.
        transformed: The form (`as` parameter) that the document has; a caller who asks for another
            one, or only for another one, is refused.

    Raises:
        ApiFailure: None of the two will do.
    """
    for media in accepted(accept):
        if media.parameters.get("as") != transformed:
            continue
        if media.covers(JSON):
            return Document(orjson.dumps(document) + b"\n")
        if media.covers(YAML):
            return Document(yaml.safe_dump(document).encode(), YAML)
    raise not_acceptable(FORMATS)


def entity_tag(body: bytes) -> str:
    """Return the `ETag` of a body."""
    return f'"{hashlib.sha512(body).hexdigest().upper()}"'
