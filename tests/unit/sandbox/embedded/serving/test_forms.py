"""The form of an answer: what the caller takes first, of what there is."""

from datetime import UTC, datetime

import pytest

from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.serving.forms import (
    Form,
    Shape,
    check_representable,
    choose_form,
    refusal_form,
    shaped,
)

JSON, YAML = "application/json", "application/yaml"
TABLE = f"{JSON};as=Table;v=v1;g=meta.k8s.io"
KIND = Kind(CONFIG_MAPS, frozenset(), "configmap", "ConfigMapList")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OBJECT: KubeObject = {
    "kind": "ConfigMap",
    "apiVersion": "v1",
    "metadata": {"name": "a", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"},
}
LIST: KubeObject = {
    "kind": "ConfigMapList",
    "apiVersion": "v1",
    "metadata": {"resourceVersion": "9"},
    "items": [OBJECT],
}


def choose(accept: str | None, *, is_watch: bool = False) -> Form:
    return choose_form(accept, query={}, user_agent="test", is_watch=is_watch)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, Form(JSON)),
        ("*/*", Form(JSON)),
        (YAML, Form(YAML)),
        (f"application/vnd.kubernetes.protobuf,{JSON}", Form(JSON)),
        (f"{TABLE},{JSON}", Form(JSON, Shape.TABLE)),
        (f"{JSON};as=Unheard;v=v1;g=meta.k8s.io,{YAML}", Form(YAML)),
        (f"{JSON};as=Table;v=v7;g=meta.k8s.io,{JSON}", Form(JSON)),
        (f"{JSON};q=0.1,{YAML}", Form(YAML)),
    ],
)
def test_the_first_form_that_can_be_made_is_made(accept: str | None, expected: Form) -> None:
    """Clients list what they like best first, and what everybody has last."""
    assert choose(accept) == expected


def test_who_takes_nothing_that_is_made_is_refused() -> None:
    """An answer that the caller cannot read is none."""
    with pytest.raises(ApiFailure, match="only the following media types") as refused:
        choose("application/vnd.kubernetes.protobuf")
    assert refused.value.code == 406
    with pytest.raises(ApiFailure, match="stream=watch"):
        choose(YAML, is_watch=True)


def test_formats_nobody_has_heard_of_are_refused_first() -> None:
    """Another part of Kubernetes looks at those, with other words."""
    check_representable("application/vnd.kubernetes.protobuf")
    with pytest.raises(ApiFailure, match="406: Not Acceptable"):
        check_representable("text/html")


@pytest.mark.parametrize(
    ("query", "user_agent", "expected"),
    [
        ({}, "kubectl/v1", False),
        ({}, "curl/8", True),
        ({"pretty": "false"}, "curl/8", False),
        ({"pretty": "true"}, "kubectl/v1", True),
    ],
)
def test_people_get_lines(query: dict[str, str], user_agent: str, expected: bool) -> None:
    """Whoever looks at an answer wants to read it, programs do not."""
    assert refusal_form(None, query=query, user_agent=user_agent).pretty is expected


def test_a_table_of_one_object_and_of_a_list() -> None:
    """The version in the table is the list's, or else the object's."""
    form = Form(JSON, Shape.TABLE)
    one = shaped(OBJECT, form=form, kind=KIND, now=NOW)
    many = shaped(LIST, form=form, kind=KIND, now=NOW)
    assert one["metadata"] == {"resourceVersion": "7"}
    assert many["metadata"] == {"resourceVersion": "9"}
    assert [row["object"]["kind"] for row in many["rows"]] == ["PartialObjectMetadata"]


def test_lists_and_objects_are_not_taken_for_each_other() -> None:
    """Kubernetes names the type of Go that stands in the way."""
    with pytest.raises(ApiFailure, match=r"requested object is a list \(\*core.ConfigMapList\)"):
        shaped(LIST, form=Form(JSON, Shape.METADATA), kind=KIND, now=NOW)
    with pytest.raises(ApiFailure, match="not a list"):
        shaped(OBJECT, form=Form(JSON, Shape.METADATA_LIST), kind=KIND, now=NOW)


def test_a_status_is_never_reshaped() -> None:
    """It is about the call, not about an object."""
    status: KubeObject = {"kind": "Status", "metadata": {}, "status": "Success"}
    assert shaped(status, form=Form(JSON, Shape.TABLE), kind=KIND, now=NOW) is status


def test_the_first_version_of_the_shapes_says_so() -> None:
    """Old clients ask for `v1beta1` and look at what they get."""
    found = shaped(LIST, form=Form(JSON, Shape.METADATA_LIST, "v1beta1"), kind=KIND, now=NOW)
    assert found["apiVersion"] == found["items"][0]["apiVersion"] == "meta.k8s.io/v1beta1"
