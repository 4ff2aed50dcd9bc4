"""Values against their schema: jsonschema finds what is wrong, Kubernetes' sentences tell it.

jsonschema reads the parts of a schema in the order in which they stand. They are brought into the
order in which the real server looks, so that complaints come in the same one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft4Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from towline_sandbox.embedded.custom.formats import STRING_FORMATS
from towline_sandbox.embedded.custom.ratcheting import is_unchanged
from towline_sandbox.embedded.expressions.patterns import compile_pattern
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Node, Schema
from towline_sandbox.embedded.model.wording import (
    as_json,
    invalid_value,
    keys_in_order,
    required,
    too_long,
    too_many,
    unsupported,
    wrong_type,
)

_BRANCHES = ("anyOf", "oneOf", "allOf")
_LARGEST_INTEGER = 2**63 - 1
_INTEGER_BOUNDS = {"int32": 2**31, "int64": 2**63}
_ORDER = (
    *("type", "int-or-string", "anyOf", "oneOf", "allOf", "not", "maxLength", "minLength"),
    *("pattern", "format", "multipleOf", "maximum", "minimum", "exclusiveMaximum"),
    *("exclusiveMinimum", "nullable", "items", "minItems", "maxItems", "uniqueItems", "enum"),
    *("minProperties", "maxProperties", "additionalProperties", "properties", "required"),
)
"""The parts of a schema that say what values are valid, in the order they are looked at."""

_EMBEDDED = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}


class ValueCheck:
    """Checks values against one schema; made once for each, as that costs more than a check.

    Args:
        schema: A structural schema.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._ordered = _ordered(schema.node)
        self._validator = _Validator(self._ordered)

    def causes(
        self,
        value: Any,
        *,
        old: Any = None,
        path: str = "",
    ) -> list[Cause]:
        """Return everything that is wrong with a value.

        Args:
            value: The value.
            old: The value before; what was wrong already and did not change is not told.
            path: Where it stands.
        """
        return [
            cause
            for error in self._validator_for(value, old).iter_errors(value)
            if old is None
            or not is_unchanged(error.absolute_path, new=value, old=old, schema=self._schema)
            for cause in _causes(error, path=_path(error, start=path))
        ]

    def _validator_for(self, value: Any, old: Any) -> Any:
        """Return a validator that does not look at the fields that are as before."""
        properties = self._ordered.get("properties")
        if not (properties and isinstance(value, dict) and isinstance(old, dict)):
            return self._validator
        changed = {
            name: child
            for name, child in properties.items()
            if name in value and value[name] != old.get(name)
        }
        return _Validator({**self._ordered, "properties": changed, "additionalProperties": True})


def _ordered(node: Node) -> dict[str, Any]:
    """Return what of a schema says which values are valid, in the order of checks."""
    known = dict(node)
    if node.get("x-kubernetes-int-or-string"):
        known.pop("type", None)
        known["int-or-string"] = True
    if node.get("x-kubernetes-embedded-resource"):
        known["properties"] = {**_EMBEDDED, **node.get("properties", {})}
        known["required"] = [
            *node.get("required", ()),
            *(name for name in ("apiVersion", "kind") if name not in node.get("required", ())),
        ]
    found: dict[str, Any] = {}
    for word in _ORDER:
        if word not in known:
            continue
        value = known[word]
        if word in _BRANCHES:
            value = [_ordered(branch) for branch in value]
        elif word in ("not", "items", "additionalProperties") and isinstance(value, Mapping):
            value = _ordered(value)
        elif word == "properties":
            value = {name: _ordered(child) for name, child in value.items()}
        found[word] = value
    return found


# What jsonschema does not know, or what Kubernetes sees in another way.


def _type(
    _validator: Validator,
    wanted: str,
    value: Any,
    schema: Mapping[str, Any],
) -> Iterator[ValidationError]:
    if value is None:
        if not schema.get("nullable"):
            yield ValidationError("null")
        return
    found = _type_name(value)
    is_whole = found == "number" and float(value).is_integer() and abs(value) <= _LARGEST_INTEGER
    fits = found == wanted or (wanted, found) == ("number", "integer")
    if not fits and not (wanted == "integer" and is_whole):
        yield ValidationError(found)


def _int_or_string(
    _validator: Validator,
    _wanted: bool,
    value: Any,
    schema: Mapping[str, Any],
) -> Iterator[ValidationError]:
    found = _type_name(value)
    if found not in ("integer", "string") and not (found == "null" and schema.get("nullable")):
        yield ValidationError(found)


def _pattern(
    _validator: Validator,
    pattern: str,
    value: Any,
    schema: Mapping[str, Any],
) -> Iterator[ValidationError]:
    # One complaint about a text is enough: the real server stops at the first as well.
    if not isinstance(value, str) or not _has_good_length(value, schema):
        return
    if compile_pattern(pattern).search(value) is None:
        yield ValidationError("pattern")


def _has_good_length(value: str, schema: Mapping[str, Any]) -> bool:
    least: int = schema.get("minLength", 0)
    most: int = schema.get("maxLength", len(value))
    return least <= len(value) <= most


def _format(
    _validator: Validator,
    name: str,
    value: Any,
    schema: Mapping[str, Any],
) -> Iterator[ValidationError]:
    if isinstance(value, str):
        check = STRING_FORMATS.get(name)
        if check is not None and schema.get("type", "string") == "string" and not check(value):
            yield ValidationError("format")
    elif name in _INTEGER_BOUNDS and isinstance(value, int | float) and not isinstance(value, bool):
        bound = _INTEGER_BOUNDS[name]
        if not float(value).is_integer() or not -bound <= value < bound:
            yield ValidationError("format")


def _enum(
    _validator: Validator,
    choices: Sequence[Any],
    value: Any,
    schema: Mapping[str, Any],
) -> Iterator[ValidationError]:
    if value is None and schema.get("nullable"):
        return
    # In Python `1 == True`; in JSON they differ.
    if not any(value == choice and _type_name(value) == _type_name(choice) for choice in choices):
        yield ValidationError("enum")


def _all_of(
    validator: Any,
    branches: Sequence[Any],
    value: Any,
    _schema: Mapping[str, Any],
) -> Iterator[ValidationError]:
    failed = 0
    for index, branch in enumerate(branches):
        errors = list(validator.descend(value, branch, schema_path=index))
        failed += bool(errors)
        yield from errors
    if failed:
        yield ValidationError("none" if failed == len(branches) else "some")


_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft4Validator,
    {
        "type": _type,
        "int-or-string": _int_or_string,
        "pattern": _pattern,
        "format": _format,
        "enum": _enum,
        "allOf": _all_of,
    },
)


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer" if -_LARGEST_INTEGER - 1 <= value <= _LARGEST_INTEGER else "number"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


# From jsonschema's findings to Kubernetes' sentences.


def _path(error: ValidationError, *, start: str) -> str:
    path = start
    for part in error.absolute_path:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path = f"{path}.{part}" if path else part
    return path


def _causes(error: ValidationError, *, path: str) -> Iterator[Cause]:
    word = str(error.validator)
    tell = _SENTENCES.get(word)
    if tell is not None:
        yield from tell(error, path)
    elif word in _BOUNDS:
        yield invalid_value(path, _measured(error), f"{path} in body {_BOUNDS[word](error)}")
    else:
        yield invalid_value(path, keys_in_order(error.instance), f"{path} in body {error.message}")


def _measured(error: ValidationError) -> Any:
    return len(error.instance) if isinstance(error.instance, list | dict) else error.instance


def _minimum(error: ValidationError) -> str:
    how = "greater than" if _schema(error).get("exclusiveMinimum") else "greater than or equal to"
    return f"should be {how} {error.validator_value}"


def _maximum(error: ValidationError) -> str:
    how = "less than" if _schema(error).get("exclusiveMaximum") else "less than or equal to"
    return f"should be {how} {error.validator_value}"


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


_BOUNDS: Mapping[str, Callable[[ValidationError], str]] = {
    "minLength": lambda error: f"should be at least {error.validator_value} chars long",
    "minItems": lambda error: f"should have at least {error.validator_value} items",
    "minProperties": lambda error: f"should have at least {error.validator_value} properties",
    "pattern": lambda error: f"should match '{error.validator_value}'",
    "multipleOf": lambda error: f"should be a multiple of {error.validator_value}",
    "minimum": _minimum,
    "maximum": _maximum,
}
"""What is not so, by the word of the schema that asks for it."""


def _tell_type(error: ValidationError, path: str) -> Iterator[Cause]:
    found, wanted = error.message, error.validator_value
    form = _schema(error).get("format")
    if form and wanted in ("integer", "number"):
        # Where a format says how a number is written, the real server speaks of formats.
        if found == "number":
            yield wrong_type(path, "float64", f'{path} in body must be of type {form}: "float64"')
            return
        if found != "string":
            yield wrong_type(path, "", f'{path} in body must be of type {form}: ""')
            return
    yield wrong_type(path, found, f'{path} in body must be of type {wanted}: "{found}"')


def _tell_int_or_string(error: ValidationError, path: str) -> Iterator[Cause]:
    found = error.message
    yield wrong_type(path, found, f'{path} in body must be of type integer,string: "{found}"')


def _tell_format(error: ValidationError, path: str) -> Iterator[Cause]:
    form = error.validator_value
    if isinstance(error.instance, str):
        shown = as_json(keys_in_order(error.instance))
        told = f"Invalid value: {shown}: {path} in body must be of type {form}: {shown}"
        yield Cause("FieldValueTypeInvalid", told, path)
    else:
        kind = _schema(error).get("type", "integer")
        yield _nowhere(f"Checked value must be of type {kind} with format {form} in {path}")


def _tell_required(error: ValidationError, path: str) -> Iterator[Cause]:
    # jsonschema complains once for each field, but says which only in its message.
    for name in error.validator_value if isinstance(error.validator_value, list) else ():
        if error.message.startswith(f"{name!r} "):
            yield required(f"{path}.{name}" if path else name)


def _tell_any_of(error: ValidationError, path: str) -> Iterator[Cause]:
    yield _nowhere(f'"{path}" must validate at least one schema (anyOf)')
    yield from _first_branch(error, path)


def _tell_one_of(error: ValidationError, path: str) -> Iterator[Cause]:
    sentence = f'"{path}" must validate one and only one schema (oneOf). Found'
    if error.context:
        yield _nowhere(f"{sentence} none valid")
        yield from _first_branch(error, path)
    else:
        branches: Sequence[Any] = error.validator_value  # type: ignore[assignment]
        valid = sum(_Validator(branch).is_valid(error.instance) for branch in branches)
        yield _nowhere(f"{sentence} {valid} valid alternatives")


def _first_branch(error: ValidationError, path: str) -> Iterator[Cause]:
    outside = len(error.absolute_path)
    for inner in error.context:
        if inner.schema_path[0] == 0:
            below = list(inner.absolute_path)[outside:]
            yield from _causes(inner, path=_extended(path, below))


def _extended(path: str, parts: Sequence[str | int]) -> str:
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _tell_all_of(error: ValidationError, path: str) -> Iterator[Cause]:
    ending = ". None validated" if error.message == "none" else ""
    yield _nowhere(f'"{path}" must validate all the schemas (allOf){ending}')


def _tell_not(_error: ValidationError, path: str) -> Iterator[Cause]:
    yield _nowhere(f'"{path}" must not validate the schema (not)')


def _tell_enum(error: ValidationError, path: str) -> Iterator[Cause]:
    choices: Sequence[Any] = error.validator_value  # type: ignore[assignment]
    yield unsupported(path, keys_in_order(error.instance), map(keys_in_order, choices))


def _tell_too_long(error: ValidationError, path: str) -> Iterator[Cause]:
    yield too_long(path, int(str(error.validator_value)))


def _tell_too_many(error: ValidationError, path: str) -> Iterator[Cause]:
    yield too_many(path, _measured(error), int(str(error.validator_value)))


def _nowhere(told: str) -> Cause:
    """Return a complaint that the real server ties to no field, odd as that looks."""
    return Cause("FieldValueInvalid", f'Invalid value: "": {told}', "<nil>")


_SENTENCES: Mapping[str, Callable[[ValidationError, str], Iterator[Cause]]] = {
    "type": _tell_type,
    "int-or-string": _tell_int_or_string,
    "format": _tell_format,
    "required": _tell_required,
    "anyOf": _tell_any_of,
    "oneOf": _tell_one_of,
    "allOf": _tell_all_of,
    "not": _tell_not,
    "enum": _tell_enum,
    "maxLength": _tell_too_long,
    "maxItems": _tell_too_many,
    "maxProperties": _tell_too_many,
}
