"""The form an answer takes: JSON or YAML, the object itself, a table, or its metadata alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure, not_acceptable
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.queries.query_options import as_boolean
from towline_sandbox.embedded.serving.answers import JSON, YAML
from towline_sandbox.embedded.views.documents import FORMATS, accepted
from towline_sandbox.embedded.views.partial_metadata import partial_metadata, partial_metadata_list
from towline_sandbox.embedded.views.table import IncludeObject, as_table

_PROTOBUF = "application/vnd.kubernetes.protobuf"
_STREAM_FORMATS = (f"{JSON};stream=watch", f"{_PROTOBUF};stream=watch")
# Tools that people look at the answers of.
_PEOPLES_TOOLS = ("curl", "Wget", "Mozilla/5.0")


class Shape(StrEnum):
    """What is shown of an object (`as` parameter of `Accept`)."""

    WHOLE = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one answer.

    Args:
        media_type: JSON or YAML.
        shape: What is shown.
        version: Version of the shape's kind.
        pretty: Whether JSON is broken into lines.
        include_object: What stands beside the rows of a table.
    """

    media_type: str = JSON
    shape: Shape = Shape.WHOLE
    version: str = "v1"
    pretty: bool = False
    include_object: str = ""

    def encode(self, obj: KubeObject) -> bytes:
        """Return an object as bytes."""
        if self.media_type == YAML:
            return as_yaml(obj)
        return as_json(obj, pretty=self.pretty)


def is_pretty(query: Mapping[str, str], user_agent: str) -> bool:
    """Tell whether JSON is to be broken into lines."""
    asked = as_boolean(query.get("pretty", ""))
    return asked if asked is not None else user_agent.startswith(_PEOPLES_TOOLS)


def check_representable(accept: str | None) -> None:
    """Refuse callers who take nothing that Kubernetes has, before anybody looks at the details.

    Raises:
        ApiFailure: 406, in the words of the library that Kubernetes has its paths from.
    """
    if not any(media.covers(each) for media in accepted(accept) for each in FORMATS):
        available = ", ".join((*FORMATS, *_STREAM_FORMATS))
        raise ApiFailure(
            406,
            "NotAcceptable",
            f"406: Not Acceptable\n\nAvailable representations: {available}",
            details={},
        )


def choose_form(
    accept: str | None, *, query: Mapping[str, str], user_agent: str, is_watch: bool = False
) -> Form:
    """Return the first form that the caller takes and that is made here.

    Raises:
        ApiFailure: There is none.
    """
    for media in accepted(accept):
        if media.parameters.get("as") is None:
            shape = Shape.WHOLE
        elif media.parameters.get("g") != "meta.k8s.io" or (
            media.parameters.get("v") not in ("v1", "v1beta1")
        ):
            continue
        else:
            try:
                shape = Shape(media.parameters["as"])
            except ValueError:
                continue
        if is_watch and shape is Shape.METADATA_LIST:
            continue
        media_type = JSON if media.covers(JSON) else YAML if media.covers(YAML) else None
        if media_type is None or (is_watch and media_type != JSON):
            continue
        return Form(
            media_type,
            shape,
            media.parameters.get("v", "v1"),
            is_pretty(query, user_agent),
            query.get("includeObject", ""),
        )
    raise not_acceptable(_STREAM_FORMATS if is_watch else FORMATS)


def refusal_form(accept: str | None, *, query: Mapping[str, str], user_agent: str) -> Form:
    """Return the form of a refusal: YAML if that is all the caller takes, else JSON."""
    for media in accepted(accept):
        if media.covers(JSON):
            break
        if media.covers(YAML):
            return Form(YAML)
    return Form(JSON, pretty=is_pretty(query, user_agent))


def shaped(obj: KubeObject, *, form: Form, kind: Kind, now: datetime) -> KubeObject:
    """Return an object or List in the shape that the caller asked for.

    Args:
        obj: The object; a Status stays as it is.
        form: What was asked for.
        kind: Kind of the object, or of the List's items.
        now: What ages are counted to.

    Raises:
        ApiFailure: A single object cannot be shown as a list, nor a list as an object.
    """
    if form.shape is Shape.WHOLE or (obj.get("kind") == "Status" and "status" in obj):
        return obj
    is_list = "items" in obj and obj.get("kind") == kind.list_kind
    found: KubeObject
    match form.shape:
        case Shape.TABLE:
            metadata = obj["metadata"]
            version = {key: metadata[key] for key in ("resourceVersion",) if key in metadata}
            found = as_table(
                kind,
                obj["items"] if is_list else [obj],
                list_metadata=metadata if is_list else version,
                now=now,
                include_object=IncludeObject.parse(form.include_object),
            )
        case Shape.METADATA_LIST:
            if not is_list:
                raise _wrong_number("PartialObjectMetadataList", kind, "not a list", listed=False)
            found = partial_metadata_list(obj["items"], list_metadata=obj["metadata"])
        case _:
            if is_list:
                raise _wrong_number("PartialObjectMetadata", kind, "a list", listed=True)
            found = partial_metadata(obj)
    return found if form.version == "v1" else _in_beta(found)


def as_json(value: Any, *, pretty: bool = False) -> bytes:
    """Return JSON as the API server writes it."""
    if pretty:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2)
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def as_yaml(value: Any) -> bytes:
    """Return YAML."""
    import yaml

    return yaml.safe_dump(value, allow_unicode=True).encode()


def _in_beta(found: KubeObject) -> KubeObject:
    # The first version of these kinds, of the same form, inside as well.
    beta = {"apiVersion": "meta.k8s.io/v1beta1"}
    items = {"items": [{**each, **beta} for each in found["items"]]} if "items" in found else {}
    return {**found, **beta, **items}


def _wrong_number(asked: str, kind: Kind, is_what: str, *, listed: bool) -> ApiFailure:
    # The server names the Go type, which for custom kinds is the same for all of them.
    group = kind.resource.group.partition(".")[0] or "core"
    name = kind.list_kind if listed else kind.resource.kind
    go_type = "unstructured.Unstructured" if kind.custom else f"{group}.{name}"
    return ApiFailure(
        406,
        "NotAcceptable",
        f"you requested {asked}, but the requested object is {is_what} (*{go_type})",
    )
