"""What a structural schema accepts, as hypothesis draws it, and a judge of that."""

import base64
import string
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from towline_api.timestamps import format_time

Schema = dict[str, Any]

TEXT = st.text(alphabet=string.ascii_letters + string.digits + " -./:é\n", max_size=12)
INT_OR_STRING = "x-kubernetes-int-or-string"


def instances(schema: Schema) -> st.SearchStrategy[Any]:
    """Return what a structural schema accepts, as hypothesis draws it."""
    if "enum" in schema:
        plain: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    elif schema.get(INT_OR_STRING):
        plain = st.integers(0, 2**31) | texts(schema)
    else:
        plain = TYPES[schema["type"]](schema)
    return st.none() | plain if schema.get("nullable") else plain


def texts(schema: Schema) -> st.SearchStrategy[str]:
    match schema.get("format"):
        case "date-time":
            earliest, latest = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001
            return st.datetimes(earliest, latest, timezones=st.just(UTC)).map(format_time)
        case "byte":
            return st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode())
    low, high = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    if "pattern" not in schema:
        return (TEXT | st.text(max_size=3)).filter(lambda text: low <= len(text) <= high)
    # Python's $ also matches before a final newline, Go's does not.
    matching = st.from_regex(schema["pattern"], alphabet=st.characters(codec="ascii"))
    return matching.filter(lambda text: low <= len(text) <= high and not text.endswith("\n"))


def integers(schema: Schema) -> st.SearchStrategy[int]:
    limit = 2**31 if schema.get("format") == "int32" else 2**63
    return st.integers(schema.get("minimum", -limit), limit - 1)


def objects(schema: Schema) -> st.SearchStrategy[Schema]:
    if "additionalProperties" in schema:
        return st.dictionaries(TEXT, instances(schema["additionalProperties"]), max_size=2)
    members = {name: instances(item) for name, item in schema.get("properties", {}).items()}
    required = schema.get("required", ())
    return st.fixed_dictionaries(
        {name: members[name] for name in required},
        optional={name: members[name] for name in members if name not in required},
    )


TYPES = {
    "string": texts,
    "integer": integers,
    "boolean": lambda _: st.booleans(),
    "array": lambda schema: st.lists(instances(schema["items"]), max_size=2),
    "object": objects,
}


def validator(schema: Schema) -> Draft202012Validator:
    """Return a validator of JSON Schema, which says null in the type and prunes nothing."""

    def translate(item: Any) -> Any:
        if isinstance(item, list):
            return [translate(part) for part in item]
        if not isinstance(item, dict):
            return item
        translated = {key: translate(value) for key, value in item.items()}
        if isinstance(item.get("properties"), dict):
            # A member the schema does not know would be dropped: count that as refused.
            translated["additionalProperties"] = False
        if item.get("nullable") is True:
            translated["type"] = [item["type"], "null"]
        return translated

    return Draft202012Validator(translate(schema))
