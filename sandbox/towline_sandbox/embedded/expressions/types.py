"""Types of CEL expressions, as far as they are known before an expression runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from towline_sandbox.embedded.model.schema import Schema


@dataclass(frozen=True, slots=True)
class CelType:
    """A type.

    Args:
        name: As messages name it.
        fields: Fields of an object, by name; None if it has no fixed ones.
        element: What a list or map holds, or what an optional value may be.
        key: Keys of a map.
    """

    name: str
    fields: "Mapping[str, CelType] | None" = None
    element: "CelType | None" = None
    key: "CelType | None" = None

    def __str__(self) -> str:
        """Return the type as messages show it."""
        match self.name:
            case "list" | "optional_type":
                return f"{self.name}({self.element or DYN})"
            case "map":
                return f"map({self.key or STRING}, {self.element or DYN})"
            case _:
                return self.name

    @property
    def is_dynamic(self) -> bool:
        """Whether only the run will show."""
        return self.name == "dyn"


DYN = CelType("dyn")
BOOL = CelType("bool")
INT = CelType("int")
UINT = CelType("uint")
DOUBLE = CelType("double")
STRING = CelType("string")
BYTES = CelType("bytes")
NULL = CelType("null")
TIMESTAMP = CelType("timestamp")
DURATION = CelType("duration")
TYPE = CelType("type")

_BY_FORMAT = {"date-time": TIMESTAMP, "date": TIMESTAMP, "duration": DURATION, "byte": BYTES}
_SCALARS = {"boolean": BOOL, "integer": INT, "number": DOUBLE}
_OBJECT_FIELDS: Mapping[str, CelType] = {
    "apiVersion": STRING,
    "kind": STRING,
    "metadata": CelType("object", fields={"name": STRING, "generateName": STRING}),
}


def list_of(element: CelType) -> CelType:
    """Return the type of lists of these."""
    return CelType("list", element=element)


def map_of(element: CelType, *, key: CelType = STRING) -> CelType:
    """Return the type of maps to these."""
    return CelType("map", element=element, key=key)


def optional_of(element: CelType) -> CelType:
    """Return the type of values of which there may be none."""
    return CelType("optional_type", element=element)


def type_of_schema(schema: Schema, *, is_resource: bool = False) -> CelType:
    """Return the type of a schema's values in rules.

    Args:
        schema: A structural schema.
        is_resource: Whether its values are whole objects, of which rules see type and name.
    """
    if schema.is_int_or_string:
        return DYN
    match schema.type:
        case "object":
            return _type_of_object(schema, is_resource=is_resource or schema.embeds_resource)
        case "array":
            return list_of(DYN if schema.items is None else type_of_schema(schema.items))
        case "string":
            return _BY_FORMAT.get(schema.node.get("format", ""), STRING)
        case name:
            return _SCALARS.get(name, DYN)


def _type_of_object(schema: Schema, *, is_resource: bool) -> CelType:
    if schema.additional is not None and not schema.properties:
        return map_of(type_of_schema(schema.additional))
    fields: dict[str, CelType] = dict(_OBJECT_FIELDS) if is_resource else {}
    fields |= {
        written: type_of_schema(child)
        for name, child in schema.properties.items()
        if not (is_resource and name in _OBJECT_FIELDS)
        for written in names_in_rules(name)
    }
    return CelType("object", fields=fields)


_NEVER_NAMES = frozenset({"true", "false", "null", "in"})
_KEPT_FOR_LATER = frozenset(
    {
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"),
        *("loop", "package", "namespace", "return", "var", "void", "while"),
    }
)
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


def names_in_rules(name: str) -> tuple[str, ...]:
    """Return how rules may write the name of a field: CEL has fewer letters and own words."""
    if name in _NEVER_NAMES:
        return (f"__{name}__",)
    if name in _KEPT_FOR_LATER:
        return (name, f"__{name}__")
    for plain, written in _ESCAPES:
        name = name.replace(plain, written)
    return (name,)
