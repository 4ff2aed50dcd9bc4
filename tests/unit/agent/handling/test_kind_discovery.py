"""Kinds by name: which endpoint a server says it serves them at."""

from typing import Any

import pytest

from towline_agent.handling.kind_discovery import find_served
from towline_api.errors import WireError
from towline_api.resources import Resource

LISTED: dict[str, Any] = {
    "resources": [
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "widgets", "kind": "Widget", "namespaced": True},
        {"name": "fleets", "kind": "Fleet", "namespaced": False},
        {"name": "halves", "kind": "Half"},
    ]
}


@pytest.mark.parametrize(
    ("plural", "found"),
    [
        pytest.param(
            "widgets", Resource("example.com", "v2", "widgets", "Widget", True), id="namespaced"
        ),
        pytest.param(
            "fleets", Resource("example.com", "v2", "fleets", "Fleet", False), id="cluster"
        ),
        pytest.param("others", None, id="not-served"),
    ],
)
def test_a_kind_is_found_by_its_exact_plural(plural: str, found: Resource | None) -> None:
    """Subresources are listed beside it, and are not it."""
    assert find_served(LISTED, plural, group="example.com", version="v2") == found


@pytest.mark.parametrize("document", [{}, {"resources": None}, {"resources": "widgets"}])
def test_what_is_no_list_is_an_error(document: dict[str, Any]) -> None:
    """Taken for an empty one it would say that the CRD is missing."""
    with pytest.raises(WireError, match="lists no resources"):
        find_served(document, "widgets", group="example.com", version="v2")


def test_half_an_entry_is_an_error() -> None:
    """Without its scope nobody knows where its objects are."""
    with pytest.raises(WireError, match="names no kind and scope"):
        find_served(LISTED, "halves", group="example.com", version="v2")
