"""Values as they appear in Kubernetes' sentences, which Go has written."""

import json
from typing import Any

import orjson

_ESCAPED = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"))


def json_text(value: Any) -> str:
    """Return a value as Go writes JSON: sorted, and what HTML would take amiss escaped."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    for plain_sign, escaped in _ESCAPED:
        text = text.replace(plain_sign, escaped)
    return text


def plain(value: Any) -> str:
    """Return a value as Go's `%v` shows it: `map[a:1 b:[x y]]`."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case dict():
            return f"map[{' '.join(f'{key}:{plain(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(plain, value))}]"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case _:
            return str(value)


def quoted(text: str) -> str:
    """Return a text as Go's `%q` shows it."""
    return json.dumps(text, ensure_ascii=False)


def type_name(value: Any) -> str:
    """Return the Go type that a JSON value is decoded into."""
    match value:
        case None:
            return "%!s(<nil>)"
        case bool():
            return "bool"
        case dict():
            return "map[string]interface {}"
        case list():
            return "[]interface {}"
        case str():
            return "string"
        case int():
            return "int64"
        case _:
            return "float64"


def literal(value: Any) -> str:
    """Return a value as Go's `%#v` shows it."""
    match value:
        case None:
            return "interface {}(nil)"
        case str():
            return quoted(value)
        case dict():
            items = ", ".join(f"{quoted(key)}:{literal(value[key])}" for key in sorted(value))
            return f"map[string]interface {{}}{{{items}}}"
        case list():
            return f"[]interface {{}}{{{', '.join(map(literal, value))}}}"
        case _:
            return plain(value)


def kind_words(api_version: str, kind: str) -> str:
    """Return a kind with its group, which in the core group is empty: `/v1, Kind=Pod`."""
    group, _, version = api_version.rpartition("/")
    return f"{group}/{version}, Kind={kind}"
