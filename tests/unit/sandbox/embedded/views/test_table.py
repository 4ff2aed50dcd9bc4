"""Tables are those that kubectl reads."""

from datetime import UTC, datetime

import pytest

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import kinds
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.views.table import IncludeObject, as_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMESPACE: KubeObject = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "n", "creationTimestamp": "2025-12-31T23:59:00Z"},
    "status": {"phase": "Active"},
}
PARTIAL = {
    "kind": "PartialObjectMetadata",
    "apiVersion": "meta.k8s.io/v1",
    "metadata": NAMESPACE["metadata"],
}


def kind_of(name: str) -> Kind:
    """Return a built-in kind with its columns."""
    return next(kind for kind in kinds() if kind.resource.kind == name)


def table(
    kind: str, obj: KubeObject, include: IncludeObject = IncludeObject.METADATA
) -> KubeObject:
    """Return the table of one object."""
    return as_table(
        kind_of(kind),
        [obj],
        list_metadata={"resourceVersion": "5"},
        now=NOW,
        include_object=include,
    )


def test_a_row_holds_cells_and_the_bare_metadata() -> None:
    """Kubectl takes the object's name and namespace from beside the row."""
    found = table("Namespace", NAMESPACE)
    assert found["kind"] == "Table"
    assert found["metadata"] == {"resourceVersion": "5"}
    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Status", "Age"]
    assert found["columnDefinitions"][0]["format"] == "name"
    assert found["rows"] == [{"cells": ["n", "Active", "60s"], "object": PARTIAL}]


@pytest.mark.parametrize(
    ("include", "beside"),
    [
        (IncludeObject.NONE, None),
        (IncludeObject.METADATA, PARTIAL),
        (IncludeObject.OBJECT, NAMESPACE),
    ],
)
def test_the_caller_chooses_how_much_of_the_object_comes_along(
    include: IncludeObject, beside: KubeObject | None
) -> None:
    """`kubectl get` asks for more when it sorts by a field."""
    assert table("Namespace", NAMESPACE, include)["rows"][0]["object"] == beside


def test_an_item_of_a_list_says_what_it_is() -> None:
    """`kubectl get --sort-by` would not know what it has sorted."""
    item = {key: value for key, value in NAMESPACE.items() if key not in ("apiVersion", "kind")}
    assert table("Namespace", item, IncludeObject.OBJECT)["rows"][0]["object"] == NAMESPACE


def test_a_later_event_of_a_watch_says_no_columns() -> None:
    """They were said with the first one."""
    found = as_table(
        kind_of("Namespace"), [NAMESPACE], list_metadata={}, now=NOW, with_columns=False
    )
    assert found["columnDefinitions"] is None


def test_a_pod_that_has_ended_is_marked() -> None:
    """Clients may leave such rows out."""
    found = table("Pod", {"metadata": {}, "status": {"phase": "Succeeded"}})
    assert found["rows"][0]["conditions"] == [
        {
            "type": "Completed",
            "status": "True",
            "reason": "Succeeded",
            "message": "The pod has completed successfully.",
        }
    ]
    assert "conditions" not in table("Namespace", NAMESPACE)["rows"][0]


def test_an_unknown_amount_is_refused() -> None:
    """In the words of a real plane."""
    assert IncludeObject.parse(None) is IncludeObject.METADATA
    assert IncludeObject.parse("") is IncludeObject.METADATA
    with pytest.raises(ApiFailure) as refusal:
        IncludeObject.parse("Foo")
    assert refusal.value.code == 400
    assert refusal.value.message == (
        'Unable to convert to Table as requested: includeObject: Invalid value: "Foo": must be '
        "'Metadata', 'Object', 'None', or empty"
    )
