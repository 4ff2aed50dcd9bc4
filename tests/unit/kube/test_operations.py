"""What each verb sends, whether it may be sent twice, and how messages name it."""

import json

import pytest

from towline_api.resources import (
    CONFIG_MAPS,
    MANAGED_CLUSTERS,
    SELF_SUBJECT_REVIEWS,
    KubeObject,
)
from towline_kube import operations
from towline_kube.operations import Operation, PatchType
from towline_kube.retries import Repeat
from towline_kube.targets import Target

METADATA = {"name": "settings", "namespace": "c1"}
UNBOUND = {"metadata": METADATA}
BOUND = {"metadata": {**METADATA, "resourceVersion": "7"}}
TARGET = Target(CONFIG_MAPS, "settings", "c1")


def a_replacement(body: KubeObject) -> Operation:
    return operations.put(CONFIG_MAPS, body, subresource=None)


def a_deletion(*, uid: str | None) -> Operation:
    return operations.delete(TARGET, uid=uid, resource_version=None, propagation=None)


@pytest.mark.parametrize(
    ("operation", "repeat"),
    [
        (operations.get(TARGET), Repeat.WHEN_TRANSIENT),
        (operations.read_path("/livez"), Repeat.WHEN_TRANSIENT),
        (operations.ask(SELF_SUBJECT_REVIEWS, {}), Repeat.WHEN_TRANSIENT),
        (operations.create(CONFIG_MAPS, UNBOUND, subresource=None), Repeat.WHEN_NOT_DONE),
        (a_replacement(BOUND), Repeat.WHEN_TRANSIENT),
        (a_replacement(UNBOUND), Repeat.WHEN_NOT_DONE),
        (
            operations.apply(CONFIG_MAPS, UNBOUND, force=False, subresource=None),
            Repeat.WHEN_TRANSIENT,
        ),
        (operations.patch(TARGET, BOUND), Repeat.WHEN_TRANSIENT),
        (operations.patch(TARGET, {"data": {}}), Repeat.WHEN_NOT_DONE),
        (operations.patch(TARGET, [], content_type=PatchType.JSON), Repeat.WHEN_NOT_DONE),
        (a_deletion(uid="u1"), Repeat.WHEN_TRANSIENT),
        (a_deletion(uid=None), Repeat.WHEN_NOT_DONE),
    ],
)
def test_only_what_cannot_be_done_twice_may_be_sent_twice(operation: Operation, repeat: Repeat):
    """An answer that got lost must not turn into a second object, or undo somebody's write."""
    assert operation.repeat is repeat


@pytest.mark.parametrize(
    ("operation", "owned"),
    [
        (operations.create(CONFIG_MAPS, UNBOUND, subresource=None), True),
        (a_replacement(BOUND), True),
        (operations.patch(TARGET, {}), True),
        (operations.get(TARGET), False),
        (a_deletion(uid=None), False),
    ],
)
def test_writes_say_who_owns_the_fields(operation: Operation, *, owned: bool):
    """A field without its manager's name cannot be told from a person's."""
    asked = operation.request_by("towline")
    assert asked.query.get("fieldManager") == ("towline" if owned else None)
    assert asked.body == operation.request.body


@pytest.mark.parametrize(
    ("target", "said", "counted"),
    [
        (TARGET, "configmaps c1/settings", "configmaps"),
        (Target(CONFIG_MAPS, namespace="c1"), "configmaps in c1", "configmaps"),
        (
            Target(MANAGED_CLUSTERS, "c1", subresource="status"),
            "status of managedclusters.cluster.open-cluster-management.io c1",
            "managedclusters.cluster.open-cluster-management.io/status",
        ),
    ],
)
def test_a_target_is_named_for_people_and_for_counting(target: Target, said: str, counted: str):
    """Messages name one object; counts must not grow with the number of objects."""
    assert str(target) == said
    assert target.counted == counted


def test_an_object_that_is_to_get_its_name_is_named_by_its_prefix():
    """Without it, a failed create could not be told from its neighbours."""
    body = {"metadata": {"generateName": "settings-", "namespace": "c1"}}
    operation = operations.create(CONFIG_MAPS, body, subresource=None)
    assert operation.object == "configmaps c1/settings-"
    assert operation.request.path == "/api/v1/namespaces/c1/configmaps"
    assert json.loads(operation.request.body or b"")["kind"] == "ConfigMap"
