"""Objects that several managers write to, drawn by hypothesis."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.model.kinds import Kind, Subresource
from towline_sandbox.embedded.model.schema import Schema

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

_TEXT = {"type": "string"}
_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "tags": {"type": "array", "items": _TEXT, "x-kubernetes-list-type": "set"},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "properties": {"name": _TEXT, "color": _TEXT, "note": _TEXT},
                    },
                },
                "plain": {"type": "array", "items": _TEXT},
                "options": {"type": "object", "additionalProperties": _TEXT},
                "frozen": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": _TEXT,
                },
                "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}

THINGS = Resource("t.test", "v1", "things", "Thing", namespaced=True)
KIND = Kind(
    THINGS,
    frozenset(),
    "thing",
    "ThingList",
    schema=Schema(_SCHEMA),
    subresources={"status": Subresource("status", frozenset())},
    custom=True,
)
"""A custom kind with every sort of list and map."""

_WORDS = st.sampled_from(["a", "b", "c"])
_MAPS = st.dictionaries(_WORDS, _WORDS, max_size=2)
_LOOSE = st.recursive(
    st.one_of(_WORDS, st.booleans(), st.integers(0, 1)),
    lambda below: st.one_of(st.lists(below, max_size=2), st.dictionaries(_WORDS, below)),
    max_leaves=4,
)


def _specs(*, shortest_list: int) -> st.SearchStrategy[KubeObject]:
    part = st.fixed_dictionaries({"name": _WORDS}, optional={"color": _WORDS, "note": _WORDS})
    parts = st.lists(part, min_size=shortest_list, max_size=3, unique_by=lambda part: part["name"])
    return st.fixed_dictionaries(
        {},
        optional={
            "size": st.integers(1, 3),
            "tags": st.lists(_WORDS, min_size=shortest_list, max_size=3, unique=True),
            "parts": parts,
            "plain": st.lists(_WORDS, max_size=2),
            "options": _MAPS,
            "frozen": _MAPS,
            "anything": st.dictionaries(_WORDS, _LOOSE, max_size=2),
        },
    )


def thing(spec: KubeObject, *, labels: KubeObject | None = None) -> KubeObject:
    """Return an object with this content."""
    metadata: KubeObject = {"name": "x", "namespace": "n"}
    if labels is not None:
        metadata["labels"] = labels
    return {"apiVersion": "t.test/v1", "kind": "Thing", "metadata": metadata, "spec": spec}


def things(*, empty_lists: bool = True) -> st.SearchStrategy[KubeObject]:
    """Draw objects as a caller writes them.

    Args:
        empty_lists: Whether lists that are owned by their items may be empty. Such a list, once
            applied, is nobody's.
    """
    specs = _specs(shortest_list=0 if empty_lists else 1)
    return st.builds(thing, specs, labels=st.none() | _MAPS)
