"""The words the models of this package are written in.

A model says what a kind holds in Python types; `towline_api.crds` turns it into the schema an API
server enforces. What plain types cannot say is said by the small vocabulary here: list keys,
quantities, defaults set by the server, printer columns.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from towline_api.resources import KubeObject, Resource
from towline_api.timestamps import format_time, parse_time

SERVER_DEFAULT = "x-towline-server-default"
"""Marks a default that belongs into the CRD; `crds` removes the mark and every other default."""


class KubeModel(BaseModel):
    """A JSON object of the API. Members it does not know are kept and written back."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="allow",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def to_json(self) -> KubeObject:
        """Return the JSON this was read from: what nobody set stays out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class ObjectMeta(KubeModel):
    """The part of `metadata` that is of use here; the rest is kept."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """A column of `kubectl get`.

    Args:
        name: Heading.
        path: JSONPath of the value.
        type: OpenAPI type of the value, or `date` to show an age.
    """

    name: str
    path: str
    type: str = "string"


def condition_column(heading: str, condition_type: str) -> PrinterColumn:
    """Return a column that shows one condition's status."""
    return PrinterColumn(heading, f'.status.conditions[?(@.type=="{condition_type}")].status')


class KubeKind(KubeModel):
    """A whole object of a kind that has a CRD. A `status` field makes it a subresource."""

    resource: ClassVar[Resource]
    short_names: ClassVar[tuple[str, ...]] = ()
    printer_columns: ClassVar[tuple[PrinterColumn, ...]] = ()

    api_version: str = ""
    """API group and version this object is written in."""
    kind: str = ""
    """Name of this object's kind."""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)


@dataclass(frozen=True, slots=True)
class _SchemaMembers:
    """Adds members to the schema of the type it annotates."""

    members: tuple[tuple[str, Any], ...]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(core_schema), **dict(self.members)}


def map_keys(*keys: str) -> _SchemaMembers:
    """Return the mark of a list whose entries are told apart by these members.

    Server-side apply then merges entries instead of replacing the list.
    """
    return _SchemaMembers(
        (("x-kubernetes-list-type", "map"), ("x-kubernetes-list-map-keys", list(keys)))
    )


def server_default(value: object) -> Any:
    """Return the default of a field that the API server fills in when it is absent.

    Args:
        value: The default as JSON; what a field of a model type gets is made from it.
    """
    return Field(default=value, validate_default=True, json_schema_extra={SERVER_DEFAULT: True})


def _decode_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _encode_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


Int32 = Annotated[int, _SchemaMembers((("format", "int32"),))]
Int64 = Annotated[int, _SchemaMembers((("format", "int64"),))]
Base64 = Annotated[
    bytes,
    BeforeValidator(_decode_base64),
    PlainSerializer(_encode_base64, when_used="json"),
    WithJsonSchema({"type": "string", "format": "byte"}),
]
Time = Annotated[
    datetime,
    BeforeValidator(lambda value: parse_time(value) if isinstance(value, str) else value),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Nullable = _SchemaMembers((("nullable", True),))
"""Marks a field whose explicit null the server keeps; otherwise it drops nulls."""

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
QUALIFIED_NAME_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
"""An optional DNS subdomain and a slash, then a name: the keys of labels, taints, conditions."""
QualifiedName = Annotated[str, StringConstraints(max_length=316, pattern=QUALIFIED_NAME_PATTERN)]


def _int_or_string(pattern: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": pattern,
            "x-kubernetes-int-or-string": True,
        }
    )


Quantity = Annotated[
    int | str,
    _int_or_string(
        r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
        r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
    ),
]
"""An amount of a resource: `4`, `500m`, `16Gi`."""
CountOrPercent = Annotated[int | str, _int_or_string(r"^((100|[0-9]{1,2})%|[0-9]+)$")]
"""A number of clusters, or a share of them such as `25%`."""
