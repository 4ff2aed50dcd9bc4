"""How strategic merge patches complain of wrong types.

Kubernetes makes the object anew out of plain maps then, which has words of its own; in all other
ways it decodes JSON, and `built_in.decoding` speaks as that does.
"""

import re
from functools import cache

from towline_sandbox.embedded.built_in.data_files import definitions

_COMPLAINT = re.compile(
    r"json: cannot unmarshal (string|number|bool|array|object)( \S+)? into Go "
    r"(?:struct field \S+|value) of type (.+)"
)
_SOURCES = {
    "string": "string",
    "number": "int64",
    "bool": "bool",
    "array": "slice",
    "object": "map",
}
_PLAIN = frozenset({"string", "bool", "int32", "int64", "float64"})
_NUMBERS = frozenset({"int64", "float64"})


def restoring_words(complaint: str) -> str:
    """Return a complaint about a type as a strategic merge patch leads to; others as they are."""
    match = _COMPLAINT.fullmatch(complaint)
    if match is None:
        return complaint
    found, number, wanted = match.groups()
    source = "float64" if number and "." in number else _SOURCES[found]
    if wanted.startswith(("map[", "[]")):
        container = "map" if wanted.startswith("map[") else "slice"
        return f"cannot restore {container} from {source}"
    if wanted not in _PLAIN and wanted in _structs():
        return f"cannot restore struct from: {source}"
    is_text = wanted not in _PLAIN or wanted == "string"
    if source in _NUMBERS and wanted != "bool" and (source == "float64") is not is_text:
        return f"cannot convert {source} to {wanted}"
    return f"unrecognized type: {'string' if wanted not in _PLAIN else wanted}"


@cache
def _structs() -> frozenset[str]:
    return frozenset(".".join(name.split(".")[-2:]) for name in definitions())
