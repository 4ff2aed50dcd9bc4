"""Deleting: at once, or when everybody who has to be waited for is done."""

import pytest

from towline_api.resources import CONFIG_MAPS, NAMESPACES, PODS
from towline_sandbox.embedded.model.failures import ApiFailure
from unit.sandbox.embedded.verbs.small_api import NOW_TEXT, SmallApi, body_of

WAIT = "example.com/wait"
CONTAINERS = {"containers": [{"name": "c", "image": "i"}]}


async def test_an_object_that_nobody_waits_for_is_gone_at_once(api: SmallApi):
    """The answer says which one it was."""
    made = await api.create(CONFIG_MAPS, "a")
    deleted = await api.delete(CONFIG_MAPS, "a")
    assert deleted.code == 200
    assert deleted.object == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    }
    with pytest.raises(ApiFailure, match='configmaps "a" not found'):
        await api.delete(CONFIG_MAPS, "a")


async def test_an_object_with_finalizers_goes_with_the_last_of_them(api: SmallApi):
    """Until then it is marked, and a second deletion changes nothing."""
    await api.create(CONFIG_MAPS, "a", metadata={"finalizers": [WAIT]})
    first = await api.delete(CONFIG_MAPS, "a")
    assert first.object["metadata"]["deletionTimestamp"] == NOW_TEXT
    assert first.object["metadata"]["deletionGracePeriodSeconds"] == 0
    again = await api.delete(CONFIG_MAPS, "a")
    assert again.object == first.object
    with pytest.raises(ApiFailure, match="no new finalizers can be added"):
        await api.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": [WAIT, "example.com/b"]}})
    last = await api.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}})
    assert "finalizers" not in last["metadata"]
    with pytest.raises(ApiFailure, match="not found"):
        await api.get(CONFIG_MAPS, "a")


@pytest.mark.parametrize(
    ("options", "finalizers"),
    [
        ({"propagationPolicy": "Foreground"}, [WAIT, "foregroundDeletion"]),
        ({"propagationPolicy": "Orphan"}, [WAIT, "orphan"]),
        ({"orphanDependents": True}, [WAIT, "orphan"]),
        ({"propagationPolicy": "Background"}, [WAIT]),
        ({}, [WAIT]),
    ],
)
async def test_the_propagation_policy_is_left_to_the_collector_as_a_finalizer(
    api: SmallApi, options, finalizers
):
    """It carries out what the finalizer says and then removes it."""
    await api.create(CONFIG_MAPS, "a", metadata={"finalizers": [WAIT]})
    deleted = await api.delete(CONFIG_MAPS, "a", **options)
    assert deleted.object["metadata"]["finalizers"] == finalizers


async def test_preconditions_have_to_hold(api: SmallApi):
    """Nobody deletes the successor of the object he meant."""
    made = await api.create(CONFIG_MAPS, "a")
    uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    with pytest.raises(ApiFailure, match=r"the UID in the precondition \(x\) does not match"):
        await api.delete(CONFIG_MAPS, "a", preconditions={"uid": "x"})
    with pytest.raises(ApiFailure, match=r"the ResourceVersion in the precondition \(1\) does"):
        await api.delete(CONFIG_MAPS, "a", preconditions={"resourceVersion": "1"})
    await api.delete(CONFIG_MAPS, "a", preconditions={"uid": uid, "resourceVersion": version})


async def test_a_dry_run_deletes_nothing(api: SmallApi):
    """Whichever way it is asked for."""
    await api.create(CONFIG_MAPS, "a")
    await api.delete(CONFIG_MAPS, "a", dryRun=["All"])
    call = api.call("delete", CONFIG_MAPS, "a", query={"dryRun": "All"})
    await api.api.delete(call, {})
    await api.get(CONFIG_MAPS, "a")


async def test_options_that_make_no_sense_are_refused(api: SmallApi):
    """Before anything is looked for."""
    with pytest.raises(ApiFailure, match='propagationPolicy: Unsupported value: "Bad"') as caught:
        await api.delete(CONFIG_MAPS, "a", propagationPolicy="Bad")
    assert caught.value.code == 422


async def test_options_of_the_wrong_type_are_refused(api: SmallApi):
    """A number in quotes is none, and nothing is deleted by mistake."""
    await api.create(CONFIG_MAPS, "a")
    with pytest.raises(ApiFailure, match="cannot unmarshal string into Go struct field") as caught:
        await api.delete(CONFIG_MAPS, "a", gracePeriodSeconds="5")
    assert caught.value.code == 400
    await api.get(CONFIG_MAPS, "a")


async def test_a_collection_is_deleted_as_selected(api: SmallApi):
    """And answered with what it was."""
    for name in "abc":
        await api.create(CONFIG_MAPS, name, metadata={"labels": {"name": name}})
    call = api.call("deletecollection", CONFIG_MAPS, query={"labelSelector": "name in (a,b)"})
    deleted = await api.api.delete_collection(call, {})
    assert [obj["metadata"]["name"] for obj in deleted["items"]] == ["a", "b"]
    left = await api.listed(CONFIG_MAPS)
    assert [obj["metadata"]["name"] for obj in left["items"]] == ["c"]


async def test_a_pod_on_a_node_is_given_time_which_can_only_be_cut(api: SmallApi):
    """The kubelet ends it and deletes it without grace."""
    await api.create(PODS, "a", spec={**CONTAINERS, "nodeName": "n"})
    given = [
        (await api.delete(PODS, "a", **options)).object["metadata"]["deletionGracePeriodSeconds"]
        for options in ({}, {"gracePeriodSeconds": 5}, {"gracePeriodSeconds": 10}, {})
    ]
    assert given == [30, 5, 5, 5]
    await api.delete(PODS, "a", gracePeriodSeconds=0)
    with pytest.raises(ApiFailure, match="not found"):
        await api.get(PODS, "a")


async def test_a_pod_that_nobody_runs_is_gone_at_once(api: SmallApi):
    """There is nobody to wait for."""
    await api.create(PODS, "a", spec=CONTAINERS)
    deleted = await api.delete(PODS, "a")
    assert deleted.object["kind"] == "Pod"
    with pytest.raises(ApiFailure, match="not found"):
        await api.get(PODS, "a")


async def test_a_namespace_goes_when_its_content_has(api: SmallApi):
    """Whoever empties it says so through `finalize`."""
    await api.create(NAMESPACES, "going")
    deleted = await api.delete(NAMESPACES, "going")
    assert deleted.object["status"]["phase"] == "Terminating"
    kept = await api.patch(NAMESPACES, "going", {"spec": {"finalizers": None}})
    assert kept["spec"]["finalizers"] == ["kubernetes"]
    emptied = body_of(NAMESPACES, "going", spec={"finalizers": []})
    await api.update(NAMESPACES, emptied, subresource="finalize")
    with pytest.raises(ApiFailure, match="not found"):
        await api.get(NAMESPACES, "going")


async def test_some_namespaces_stay(api: SmallApi):
    """The cluster could not do without."""
    with pytest.raises(ApiFailure, match="this namespace may not be deleted") as caught:
        await api.delete(NAMESPACES, "default")
    assert caught.value.code == 403
