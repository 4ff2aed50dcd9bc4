"""Creating, updating and patching. What is expected here a real server was seen to do."""

from dataclasses import replace

import pytest

from towline_api.resources import CONFIG_MAPS, LEASES, NAMESPACES
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.verbs import writing
from unit.sandbox.embedded.verbs.small_api import GADGETS, NOW_TEXT, SmallApi, body_of

SECOND_GADGETS = replace(GADGETS, version="v2")


def refused(code: int, message: str):
    return pytest.raises(
        ApiFailure, check=lambda failure: (failure.code, failure.message) == (code, message)
    )


async def test_a_new_object_is_stamped_by_the_server_whatever_it_says(api: SmallApi):
    """Identity and time of birth are the server's to give."""
    made = await api.create(
        CONFIG_MAPS,
        "a",
        metadata={
            "uid": "mine",
            "creationTimestamp": "2020-01-01T00:00:00Z",
            "deletionTimestamp": "2020-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 5,
            "selfLink": "/x",
        },
    )
    metadata = made["metadata"]
    assert metadata["uid"] != "mine"
    assert metadata["creationTimestamp"] == NOW_TEXT
    assert metadata["namespace"] == "default"
    assert not {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} & metadata.keys()
    assert metadata["resourceVersion"] == str(api.store.revision)
    # Nobody owns what the server has dropped.
    assert "managedFields" not in metadata


async def test_a_name_can_be_left_to_the_server(api: SmallApi):
    """Two objects from one prefix get different names, cut to what fits a label."""
    first = await api.create(CONFIG_MAPS, metadata={"generateName": "x" * 70})
    second = await api.create(CONFIG_MAPS, metadata={"generateName": "x" * 70})
    names = {obj["metadata"]["name"] for obj in (first, second)}
    assert len(names) == 2
    assert {len(name) for name in names} == {63}


async def test_a_made_up_name_that_is_taken_is_made_up_again(
    api: SmallApi, monkeypatch: pytest.MonkeyPatch
):
    """Chance may repeat itself, but not for ever."""
    drawn = iter(["same", "same", "other"])
    monkeypatch.setattr(writing, "generated_name", lambda base, **_how: base + next(drawn, "same"))
    made = [await api.create(CONFIG_MAPS, metadata={"generateName": "x-"}) for _ in range(2)]
    assert [obj["metadata"]["name"] for obj in made] == ["x-same", "x-other"]
    with pytest.raises(ApiFailure, match="not able to generate a unique name") as caught:
        await api.create(CONFIG_MAPS, metadata={"generateName": "x-"})
    assert caught.value.code == 409


async def test_a_name_that_is_taken_is_refused_and_says_if_it_will_be_free(api: SmallApi):
    """409 AlreadyExists, with a hint while the old object is going."""
    await api.create(CONFIG_MAPS, "a", metadata={"finalizers": ["example.com/wait"]})
    with refused(409, 'configmaps "a" already exists'):
        await api.create(CONFIG_MAPS, "a")
    await api.delete(CONFIG_MAPS, "a")
    with refused(409, 'object is being deleted: configmaps "a" already exists'):
        await api.create(CONFIG_MAPS, "a")


async def test_a_new_object_must_not_name_a_resource_version(api: SmallApi):
    """A client that sends one means to update."""
    with refused(500, "resourceVersion should not be set on objects to be created") as caught:
        await api.create(CONFIG_MAPS, "a", metadata={"resourceVersion": "12"})
    assert "reason" not in caught.value.status()


async def test_a_dry_run_goes_all_the_way_and_stores_nothing(api: SmallApi):
    """The object is as it would be, but for the resource version."""
    made = await api.create(CONFIG_MAPS, "a", query={"dryRun": "All"})
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    with refused(404, 'configmaps "a" not found'):
        await api.get(CONFIG_MAPS, "a")


async def test_nothing_comes_to_be_where_it_would_not_stay(api: SmallApi):
    """Neither in a namespace that is not there nor in one that is going."""
    with refused(404, 'namespaces "nowhere" not found'):
        await api.create(CONFIG_MAPS, "a", namespace="nowhere")
    await api.create(NAMESPACES, "going")
    await api.delete(NAMESPACES, "going")
    with refused(
        403,
        'configmaps "a" is forbidden: unable to create new content in namespace going because it '
        "is being terminated",
    ) as caught:
        await api.create(CONFIG_MAPS, "a", namespace="going")
    assert caught.value.details["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace going is being terminated",
            "field": "metadata.namespace",
        }
    ]


async def test_an_update_of_an_outdated_state_conflicts(api: SmallApi):
    """Optimistic concurrency, as every controller relies on it."""
    first = await api.create(CONFIG_MAPS, "a")
    await api.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}})
    with pytest.raises(ApiFailure, match="the object has been modified; please apply") as caught:
        await api.update(CONFIG_MAPS, first)
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")


async def test_only_some_kinds_can_be_updated_blindly(api: SmallApi):
    """A ConfigMap without resource version overwrites; a Lease or a custom object does not."""
    await api.create(CONFIG_MAPS, "a")
    written = await api.update(CONFIG_MAPS, body_of(CONFIG_MAPS, "a", data={"x": "1"}))
    assert written.object["data"] == {"x": "1"}
    for resource in (LEASES, GADGETS):
        await api.create(resource, "a", spec={})
        with refused(
            422,
            f'{resource.qualified} "a" is invalid: metadata.resourceVersion: Invalid value: 0: '
            "must be specified for an update",
        ):
            await api.update(resource, body_of(resource, "a", spec={}))


async def test_some_kinds_are_created_by_an_update(api: SmallApi):
    """Agents write their Lease with one PUT, whether it is there or not."""
    written = await api.update(LEASES, body_of(LEASES, "a", spec={}))
    assert written.created
    with refused(404, 'configmaps "a" not found'):
        await api.update(CONFIG_MAPS, body_of(CONFIG_MAPS, "a"))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"name": "b"}, "the name of the object (b) does not match the name on the URL (a)"),
        (
            {},
            "the name of the object (a based on URL) was undeterminable: name must be provided",
        ),
        (
            {"name": "a", "namespace": "other"},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
async def test_an_object_has_to_be_the_one_in_the_path(api: SmallApi, metadata, message):
    """Or else somebody has mixed something up."""
    await api.create(CONFIG_MAPS, "a")
    with refused(400, message):
        await api.update(CONFIG_MAPS, body_of(CONFIG_MAPS, None, metadata=metadata), name="a")


async def test_an_object_that_was_replaced_is_not_overwritten(api: SmallApi):
    """The uid tells objects of one name apart."""
    made = await api.create(CONFIG_MAPS, "a")
    uid = made["metadata"]["uid"]
    with refused(
        409,
        'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, '
        "Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition "
        f"failed: UID in precondition: other, UID in object meta: {uid}",
    ):
        await api.update(CONFIG_MAPS, body_of(CONFIG_MAPS, "a", metadata={"uid": "other"}))


async def test_a_write_that_changes_nothing_is_none(api: SmallApi):
    """No new resource version, no event: controllers that write the same again do no harm."""
    made = await api.create(CONFIG_MAPS, "a", data={"x": "1"})
    again = await api.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert again == made


async def test_true_and_one_are_not_the_same(api: SmallApi):
    """They are in Python; in JSON this is a change."""
    made = await api.create(GADGETS, "a", spec={"x": True})
    changed = await api.patch(GADGETS, "a", {"spec": {"x": 1}})
    assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]


async def test_generation_counts_changes_of_the_spec(api: SmallApi):
    """Not those of labels or status."""
    made = await api.create(GADGETS, "a", spec={"x": 1}, metadata={"generation": 7})
    labelled = await api.patch(GADGETS, "a", {"metadata": {"labels": {"a": "b"}}})
    told = await api.patch(GADGETS, "a", {"status": {"y": 1}}, subresource="status")
    changed = await api.patch(GADGETS, "a", {"spec": {"x": 2}})
    objects = (made, labelled, told, changed)
    assert [obj["metadata"]["generation"] for obj in objects] == [1, 1, 1, 2]


async def test_the_status_is_written_through_its_own_path_only(api: SmallApi):
    """And that path writes nothing else."""
    made = await api.create(GADGETS, "a", spec={"x": 1}, status={"y": 1})
    assert "status" not in made
    told = await api.patch(
        GADGETS,
        "a",
        {"spec": {"x": 2}, "status": {"y": 2}, "metadata": {"labels": {"a": "b"}}},
        subresource="status",
    )
    assert (told["spec"], told["status"]) == ({"x": 1}, {"y": 2})
    assert "labels" not in told["metadata"]
    kept = await api.patch(GADGETS, "a", {"status": {"y": 3}})
    assert kept["status"] == {"y": 2}


async def test_no_update_brings_an_object_nearer_to_its_end(api: SmallApi):
    """Only a deletion does; nor does it bring the object back."""
    await api.create(CONFIG_MAPS, "a", metadata={"finalizers": ["example.com/wait"]})
    with pytest.raises(ApiFailure, match=r"metadata\.deletionTimestamp: .* field is immutable"):
        await api.patch(CONFIG_MAPS, "a", {"metadata": {"deletionTimestamp": NOW_TEXT}})
    await api.delete(CONFIG_MAPS, "a")
    kept = await api.patch(CONFIG_MAPS, "a", {"metadata": {"deletionTimestamp": None}})
    assert kept["metadata"]["deletionTimestamp"] == NOW_TEXT


async def test_every_broken_rule_of_metadata_is_named(api: SmallApi):
    """In one answer, so that nobody has to try again and again."""
    with pytest.raises(ApiFailure) as caught:
        await api.create(
            CONFIG_MAPS,
            "Not_a_name",
            metadata={
                "generation": -1,
                "labels": {"-a": "b/"},
                "annotations": {"a/b/c": "x" * (256 * 1024)},
                "finalizers": ["plain", "orphan", "foregroundDeletion"],
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "y"},
                    {"controller": True, "apiVersion": "v1", "kind": "A", "name": "x", "uid": "y"},
                    {"controller": True, "apiVersion": "v1", "kind": "B", "name": "", "uid": "y"},
                ],
            },
        )
    assert caught.value.code == 422
    assert [cause["field"] for cause in caught.value.details["causes"]] == [
        "metadata.name",
        "metadata.generation",
        "metadata.labels",
        "metadata.labels",
        "metadata.annotations",
        "metadata.annotations",
        "metadata.ownerReferences[0]",
        "metadata.ownerReferences[2].name",
        "metadata.ownerReferences",
        "metadata.finalizers",
        "metadata.finalizers[0]",
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"dryRun": "x"}, 'dryRun: Unsupported value: ["x"]: supported values: "All"'),
        ({"fieldManager": "x" * 129}, "fieldManager: Too long: may not be more than 128 bytes"),
        (
            {"fieldManager": "a\nb"},
            r'fieldManager: Invalid value: "a\nb": invalid character U+000A (at position 1)',
        ),
    ],
)
async def test_options_that_make_no_sense_are_refused(api: SmallApi, query, told):
    """Rather than ignored."""
    with refused(422, f'CreateOptions.meta.k8s.io "" is invalid: {told}'):
        await api.create(CONFIG_MAPS, "a", query=query)


async def test_an_object_is_served_in_every_version_of_its_kind(api: SmallApi):
    """Stored in one, seen and changed in the others."""
    await api.create(GADGETS, "a", spec={"x": 1})
    seen = await api.patch(SECOND_GADGETS, "a", {"spec": {"x": 2}})
    assert seen["apiVersion"] == "example.com/v2"
    assert (await api.get(GADGETS, "a"))["spec"] == {"x": 2}
    stored = api.store.find(seen_key(), namespace="default", name="a")
    assert stored is not None
    assert stored["apiVersion"] == "example.com/v1"


def seen_key():
    kinds = SmallApi().catalog
    return next(kind for kind in kinds if kind.resource == GADGETS).storage_key


async def test_a_write_begins_anew_when_another_comes_in_between():
    """A patch is made again on what is there then; nothing is lost."""
    others = iter([{"data": {"other": "1"}}])

    async def admission(call, new, _old):
        if new is not None and call.verb == "patch":
            for patch in others:
                await api.patch(CONFIG_MAPS, "a", patch)

    api = await SmallApi(admission=admission).start()
    await api.create(CONFIG_MAPS, "a")
    written = await api.patch(CONFIG_MAPS, "a", {"data": {"mine": "1"}})
    assert written["data"] == {"mine": "1", "other": "1"}


async def test_a_patch_in_a_form_that_nobody_reads_is_refused_before_all_else(api: SmallApi):
    """Whether the object is there or not."""
    call = api.call("patch", CONFIG_MAPS, "nowhere")
    with pytest.raises(ApiFailure) as caught:
        await api.api.patch(call, "application/apply-patch+cbor", b"")
    assert caught.value.code == 415
