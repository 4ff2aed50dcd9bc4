"""Printer columns of custom kinds find and word their cells as a real plane does."""

from datetime import UTC, datetime, timedelta

import pytest

from towline_api.resources import KubeObject
from towline_sandbox.embedded.views.columns import custom_columns
from towline_sandbox.embedded.views.durations import Since

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZEBRA: KubeObject = {
    "metadata": {
        "name": "z",
        "labels": {"a.b/c-d": "lab"},
        "creationTimestamp": "2025-12-31T23:50:00Z",
    },
    "spec": {
        "text": "x",
        "count": 3,
        "half": 2.7,
        "whole": 1.0,
        "on": True,
        "null": None,
        "map": {"k": [1, "a", None, True]},
        "list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}],
        "empty": [],
        "old": "2025-12-29T00:00:00Z",
    },
}


def value(path: str, type_: str) -> object:
    """Return the cell of a column with this path and type."""
    (_name, column) = custom_columns([{"name": "C", "type": type_, "jsonPath": path}])
    found = column.value(ZEBRA)
    return found.at(NOW) if isinstance(found, Since) else found


@pytest.mark.parametrize(
    ("path", "type_", "cell"),
    [
        (".spec.text", "string", "x"),
        (".spec['text']", "string", "x"),
        (".spec['map','text']", "string", '{"k":[1,"a",null,true]}'),
        (".spec.list[].name", "string", "a"),
        (".spec.list[-1:].name", "string", "b"),
        (".spec.list[::2].name", "string", "a"),
        (".metadata.labels['a.b/c-d']", "string", None),
        (r".metadata.labels['a\.b/c-d']", "string", "lab"),
        (".spec.text.", "string", None),
        (".", "string", None),
        (".spec.count", "string", "3"),
        (".spec.whole", "string", "1"),
        (".spec.on", "string", "true"),
        (".spec.null", "string", "<no value>"),
        (".spec.map", "string", '{"k":[1,"a",null,true]}'),
        (".spec.nothing.there", "string", None),
        (".spec.list[*].name", "string", "a"),
        (".spec.list[0]", "string", '{"name":"a","v":1}'),
        ('.spec.list[?(@.name=="b")].v', "string", "2"),
        (".spec.list[?(@.name=='b')].v", "integer", 2),
        (".spec.empty[*]", "string", None),
        (r".metadata.labels.a\.b/c-d", "string", "lab"),
        (".spec.count", "integer", 3),
        (".spec.half", "integer", 2),
        (".spec.text", "integer", None),
        (".spec.on", "integer", None),
        (".spec.half", "number", 2.7),
        (".spec.text", "number", None),
        (".spec.on", "boolean", True),
        (".spec.text", "boolean", None),
        (".spec.old", "date", "3d"),
        (".spec.text", "date", "<invalid>"),
        (".spec.count", "date", None),
        (".spec.nothing", "date", None),
    ],
)
def test_a_cell_fits_its_columns_type(path: str, type_: str, cell: object) -> None:
    """What does not fit is left out, as a real plane does; text takes anything."""
    assert value(path, type_) == cell
    assert type(value(path, type_)) is type(cell)


def test_kinds_without_columns_show_name_and_age() -> None:
    """Kubernetes adds these two where a definition names none."""
    name, age = custom_columns([])
    assert (name.name, name.format, name.value(ZEBRA)) == ("Name", "name", "z")
    assert (age.name, age.type) == ("Age", "date")
    assert age.value(ZEBRA) == Since(NOW - timedelta(minutes=10))


def test_a_column_without_words_is_described_by_its_path() -> None:
    """As Kubernetes does; words of the definition itself are kept."""
    plain = {"name": "C", "type": "string", "jsonPath": ".spec.text"}
    (_name, bare, told) = custom_columns([plain, {**plain, "description": "d", "priority": 1}])
    assert bare.description.endswith("(in JSONPath format): .spec.text")
    assert (told.description, told.priority) == ("d", 1)


@pytest.mark.parametrize(
    "path", [".spec.{x}", ".a b", ".spec[", "@", '.a["b"]', ".a[(@.length-1)]"]
)
def test_a_column_without_a_readable_path_is_left_out(path: str) -> None:
    """A real plane serves the kind all the same."""
    plain = {"name": "C", "type": "string", "jsonPath": ".spec.text"}
    columns = custom_columns([{**plain, "jsonPath": path}, plain])
    assert [column.name for column in columns] == ["Name", "C"]
    assert columns[1].value(ZEBRA) == "x"
