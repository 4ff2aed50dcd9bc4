"""The files that hold what was collected about the built-in kinds, and what is read from them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.schema import Node

_FOLDER = Path(__file__).parent / "data"

KINDS = _FOLDER / "kinds.json"
"""Names, verbs and subresources."""

DEFINITIONS = _FOLDER / "definitions.json"
"""Schemas by the name that `$ref` gives them."""

GO_TYPES = _FOLDER / "go_types.json"
"""For each definition, what its fields are in Go."""


@cache
def kind_entries() -> tuple[KubeObject, ...]:
    """Return what discovery said about each kind."""
    return tuple(_read(KINDS))


@cache
def definitions() -> Mapping[str, Node]:
    """Return the schemas of all built-in kinds and of what they are made of."""
    found: Mapping[str, Node] = _read(DEFINITIONS)
    return found


@cache
def go_types() -> Mapping[str, Mapping[str, str]]:
    """Return the Go type of each field, with its options; see `go_sources.GoFields`."""
    found: Mapping[str, Mapping[str, str]] = _read(GO_TYPES)
    return found


def _read(file: Path) -> Any:
    return orjson.loads(file.read_bytes())
