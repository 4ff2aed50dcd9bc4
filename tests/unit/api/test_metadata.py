"""Metadata is read with care: what must be there is asked for by name."""

from datetime import UTC, datetime

import pytest

from towline_api.errors import WireError
from towline_api.metadata import (
    ObjectKey,
    annotations_of,
    creation_time_of,
    finalizers_of,
    generation_of,
    is_being_deleted,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    owner_references_of,
    resource_version_of,
    uid_of,
)
from towline_api.resources import NAMESPACES

ADDON = {
    "apiVersion": "addon.open-cluster-management.io/v1alpha1",
    "kind": "ManagedClusterAddOn",
    "metadata": {
        "name": "helloworld",
        "namespace": "c1",
        "uid": "u-1",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-01-31T12:00:00Z",
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "finalizers": ["f"],
        "ownerReferences": [{"kind": "ClusterManagementAddOn"}],
    },
}


def test_every_part_is_read():
    """The whole vocabulary on one object."""
    assert name_of(ADDON) == "helloworld"
    assert namespace_of(ADDON) == "c1"
    assert uid_of(ADDON) == "u-1"
    assert resource_version_of(ADDON) == "7"
    assert generation_of(ADDON) == 2
    assert labels_of(ADDON) == {"a": "b"}
    assert annotations_of(ADDON) == {"c": "d"}
    assert finalizers_of(ADDON) == ("f",)
    assert owner_references_of(ADDON) == ({"kind": "ClusterManagementAddOn"},)
    assert creation_time_of(ADDON) == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert not is_being_deleted(ADDON)


@pytest.mark.parametrize(
    "metadata", [{"name": "n"}, {"name": "n", "labels": None, "namespace": ""}]
)
def test_what_may_be_absent_is_empty(metadata):
    """Absent, null and empty mean the same on the wire."""
    obj = {"metadata": metadata}
    assert namespace_of(obj) is None
    assert generation_of(obj) is None
    assert labels_of(obj) == {}
    assert annotations_of(obj) == {}
    assert finalizers_of(obj) == ()
    assert owner_references_of(obj) == ()


@pytest.mark.parametrize(
    ("read", "field"),
    [
        (name_of, "metadata.name"),
        (uid_of, "metadata.uid"),
        (resource_version_of, "metadata.resourceVersion"),
        (creation_time_of, "metadata.creationTimestamp"),
    ],
)
@pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"metadata": {}}])
def test_what_must_be_there_is_missed_by_name(read, field, obj):
    """An object without it was never stored, and nothing may be decided from it."""
    with pytest.raises(WireError) as caught:
        read(obj)
    assert caught.value.field == field


def test_a_value_of_another_type_is_a_wire_error():
    """Text where a map should be would fail far away from its cause."""
    with pytest.raises(WireError, match=r"metadata\.labels of Pod 'p' should be dict") as caught:
        labels_of({"kind": "Pod", "metadata": {"name": "p", "labels": "a=b"}})
    assert caught.value.field == "metadata.labels"
    with pytest.raises(WireError, match="metadata should be an object"):
        name_of({"metadata": ["x"]})


def test_an_object_with_a_deletion_timestamp_is_on_its_way_out():
    """Finalizers may hold it for long; nothing new is started for it."""
    assert is_being_deleted({"metadata": {"deletionTimestamp": "2026-01-31T12:00:00Z"}})
    assert not is_being_deleted({})


def test_keys_name_objects_as_people_write_them():
    """Keys stand in logs and in queues."""
    assert str(key_of(ADDON)) == "c1/helloworld"
    assert str(ObjectKey("c1")) == "c1"
    assert hash(ObjectKey("a", "b")) == hash(key_of({"metadata": {"name": "a", "namespace": "b"}}))


def test_an_owner_reference_names_the_very_object():
    """The UID keeps a later object of the same name from inheriting."""
    assert owner_reference(ADDON) == {
        "apiVersion": "addon.open-cluster-management.io/v1alpha1",
        "kind": "ManagedClusterAddOn",
        "name": "helloworld",
        "uid": "u-1",
    }


def test_a_controlling_owner_blocks_foreground_deletion():
    """As Kubernetes' own controllers write it."""
    reference = owner_reference(ADDON, controller=True)
    assert reference["controller"] is True
    assert reference["blockOwnerDeletion"] is True


def test_an_item_of_a_list_can_be_an_owner_when_its_kind_is_told():
    """Items of built-in lists come without kind."""
    namespace = {"metadata": {"name": "c1", "uid": "u"}}
    reference = owner_reference(namespace, resource=NAMESPACES)
    assert (reference["apiVersion"], reference["kind"]) == ("v1", "Namespace")
    with pytest.raises(WireError, match="has no apiVersion"):
        owner_reference(namespace)
