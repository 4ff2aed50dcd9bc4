"""Label and field selectors, in lists and in the words of refusal."""

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map
from towline_api.resources import PODS, SECRETS

LABELS = {
    "a": {"app": "web", "tier": "front"},
    "b": {"app": "web"},
    "c": {"app": "db"},
    "d": None,
}


async def selected(api: Api, namespace: str, **query: str) -> list[str]:
    """Return the names of the test's ConfigMaps that a query finds."""
    body = (await api.get(CONFIG_MAPS.path(namespace=namespace), **query)).ok()
    return [
        item["metadata"]["name"] for item in body["items"] if item["metadata"]["name"] in LABELS
    ]


@pytest.fixture
async def labelled(api: Api, namespace: str) -> str:
    """A namespace with four ConfigMaps, labelled as `LABELS` says."""
    for name, labels in LABELS.items():
        more = {} if labels is None else {"labels": labels}
        (await api.post(CONFIG_MAPS.path(namespace=namespace), config_map(name, **more))).ok(201)
    return namespace


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param("app=web", ["a", "b"], id="equal"),
        pytest.param("app==web", ["a", "b"], id="equal twice"),
        pytest.param("app!=web", ["c", "d"], id="not equal"),
        pytest.param("app=web,tier=front", ["a"], id="and"),
        pytest.param("app in (web,db)", ["a", "b", "c"], id="in"),
        pytest.param("app notin (web)", ["c", "d"], id="notin"),
        pytest.param("app", ["a", "b", "c"], id="exists"),
        pytest.param("!app", ["d"], id="does not exist"),
        pytest.param("app in (web), !tier", ["b"], id="mixed"),
        pytest.param("app=", [], id="empty value"),
        pytest.param("", ["a", "b", "c", "d"], id="empty"),
    ],
)
async def test_labels_select(api: Api, labelled: str, selector: str, names: list[str]) -> None:
    """All forms that Kubernetes reads."""
    assert await selected(api, labelled, labelSelector=selector) == names


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param("metadata.name=b", ["b"], id="name"),
        pytest.param("metadata.name!=b", ["a", "c", "d"], id="not the name"),
        pytest.param("metadata.name=none", [], id="nothing"),
    ],
)
async def test_names_select(api: Api, labelled: str, selector: str, names: list[str]) -> None:
    """Every kind can be selected by name and namespace."""
    assert await selected(api, labelled, fieldSelector=selector) == names
    both = await selected(api, labelled, fieldSelector=selector, labelSelector="app=web")
    assert both == [name for name in names if name in ("a", "b")]


async def test_a_namespace_selects(api: Api, labelled: str) -> None:
    """In a list over all namespaces."""
    body = (await api.get(CONFIG_MAPS.path(), fieldSelector=f"metadata.namespace={labelled}")).ok()
    assert {item["metadata"]["namespace"] for item in body["items"]} == {labelled}


async def test_some_kinds_select_by_more(api: Api, namespace: str) -> None:
    """Secrets by type, as an agent looks for its own."""
    path = SECRETS.path(namespace=namespace)
    (await api.post(path, {"metadata": {"name": "a"}})).ok(201)
    (await api.post(path, {"metadata": {"name": "b"}, "type": "example.com/x"})).ok(201)
    body = (await api.get(path, fieldSelector="type=example.com/x")).ok()
    assert [item["metadata"]["name"] for item in body["items"]] == ["b"]


@pytest.mark.parametrize("selector", ["spec.nodeName=n1", "spec.nodeName=", "status.phase=Pending"])
async def test_pods_select_by_node_and_phase(api: Api, selector: str, namespace: str) -> None:
    """Which a kubelet lives on; there may be no pod, but the field is known."""
    body = (await api.get(PODS.path(namespace=namespace), fieldSelector=selector)).ok()
    assert body["items"] == []


async def test_an_unknown_field_cannot_select(api: Api, namespace: str) -> None:
    """Silently selecting everything would be dangerous."""
    answer = await api.get(CONFIG_MAPS.path(namespace=namespace), fieldSelector="data.k=v")
    answer.assert_refused(
        400,
        "BadRequest",
        '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"',
    )


async def test_an_unreadable_label_selector_is_refused(api: Api, namespace: str) -> None:
    """As the parser says."""
    answer = await api.get(CONFIG_MAPS.path(namespace=namespace), labelSelector="app in (")
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"].startswith("unable to parse requirement: ")


async def test_an_unreadable_field_selector_is_refused(api: Api, namespace: str) -> None:
    """As the parser says."""
    answer = await api.get(CONFIG_MAPS.path(namespace=namespace), fieldSelector="metadata.name")
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert "invalid selector: 'metadata.name'" in answer.body["message"]
