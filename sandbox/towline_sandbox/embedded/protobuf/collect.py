"""Collects what Kubernetes' messages are made of; run when Kubernetes changes.

    python -m towline_sandbox.embedded.protobuf.collect [GO_MODULE_CACHE]

Reads the `.proto` files of the sources that the real plane was built from, and the Go types beside
them, which know what fields are called in JSON. Writes `data/messages.json`. This is a reader for
the regular form of those files, not for protobuf or Go.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from towline_sandbox.embedded.built_in import definitions
from towline_sandbox.embedded.built_in.go_sources import GoPackage
from towline_sandbox.embedded.protobuf.messages import MESSAGES, MessageField
from towline_sandbox.embedded.serving.health import KUBERNETES_VERSION

_MODULES = ("api", "apimachinery", "apiextensions-apiserver")
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(
    r"^  (?:(optional|repeated) (\S+)|map<string, (\S+)>) (\w+) = (\d+)", re.MULTILINE
)
# The name in JSON is empty where Go embeds a struct, whose fields JSON has in its place.
_TAGS = re.compile(r'json:"([^",]*)[^"]*" protobuf:"[^"]*\bname=(\w+)')
_PACKAGE = re.compile(r"^package (\S+);", re.MULTILINE)
_SCALARS = frozenset({"bool", "bytes", "double", "int32", "int64", "string"})

Messages = dict[str, dict[str, str]]


def messages_in(file: Path) -> Messages:
    """Return the messages of a `.proto` file, by the names that their OpenAPI definitions have."""
    text = file.read_text(encoding="utf-8")
    structs = GoPackage(file.parent).structs
    package = _PACKAGE.search(text)
    if package is None:
        return {}
    found: Messages = {}
    for name, body in _MESSAGE.findall(text):
        json_names = {proto: json for json, proto in _TAGS.findall(structs.get(name, ""))}
        fields = {}
        for label, single, mapped, field, number in _FIELD.findall(body):
            shape = "[]" if label == "repeated" else "map[string]" if mapped else ""
            fields[number] = (
                f"{json_names.get(field, field)} {shape}{_element(single or mapped, package[1])}"
            )
        found[_definition(f"{package[1]}.{name}")] = fields
    return found


def reachable(roots: Iterable[str], messages: Mapping[str, Mapping[str, str]]) -> Messages:
    """Return the messages that these are made of, themselves included."""
    found: Messages = {}
    waiting = [name for name in roots if name in messages]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = dict(messages[name])
            elements = (MessageField.parse(text).element for text in messages[name].values())
            waiting += [element for element in elements if element in messages]
    return found


def _element(type_: str, package: str) -> str:
    if type_ in _SCALARS:
        return type_
    return _definition(type_[1:] if type_.startswith(".") else f"{package}.{type_}")


def _definition(message: str) -> str:
    # Packages may hold no dashes, modules do.
    return message.replace("k8s.io.", "io.k8s.", 1).replace("apiextensions_", "apiextensions-")


def main(module_cache: Path) -> None:
    """Collect from the module cache, and write the file."""
    version = KUBERNETES_VERSION.replace("v1.", "v0.", 1)
    messages: Messages = {}
    for module in _MODULES:
        folder = module_cache / "k8s.io" / f"{module}@{version}"
        for file in sorted(folder.rglob("generated.proto")):
            messages |= messages_in(file)
    found = reachable(definitions(), messages)
    lines = (f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
    MESSAGES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.home() / "go/pkg/mod")
