"""Server-side apply: who owns which field, and what happens when two want the same."""

import pytest

from conformance.api import Answer, Api, PatchType
from conformance.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment, details
from towline_api.resources import LEASES, KubeObject


@pytest.fixture
def path(namespace: str) -> str:
    """Return the path of a ConfigMap that is not there yet."""
    return CONFIG_MAPS.path(namespace=namespace, name="a")


def owners(body: KubeObject) -> dict[tuple[str, str], KubeObject]:
    """Return the field sets of an object by manager and operation."""
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"]
        for entry in body["metadata"].get("managedFields", ())
    }


def data_of(*keys: str) -> KubeObject:
    """Return the field set of these keys of a ConfigMap's data."""
    return {"f:data": {f"f:{key}": {} for key in keys}}


async def test_apply_creates(api: Api, path: str) -> None:
    """What is not there is made, and its fields belong to whoever applied them."""
    body = (await api.apply(path, config_map("a", {"k": "v"}), manager="m")).ok(201)
    entry = body["metadata"]["managedFields"][0]
    assert entry == {
        "manager": "m",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": body["metadata"]["creationTimestamp"],
        "fieldsType": "FieldsV1",
        "fieldsV1": data_of("k"),
    }


async def test_applying_the_same_again_changes_nothing(api: Api, path: str) -> None:
    """Neither the version nor the time of the entry."""
    first = (await api.apply(path, config_map("a", {"k": "v"}), manager="m")).ok(201)
    second = (await api.apply(path, config_map("a", {"k": "v"}), manager="m")).ok()
    assert second == first


async def test_what_is_no_longer_applied_goes(api: Api, path: str) -> None:
    """A manager takes back what it alone had."""
    (await api.apply(path, config_map("a", {"k": "v", "l": "w"}), manager="m")).ok(201)
    body = (await api.apply(path, config_map("a", {"l": "w"}), manager="m")).ok()
    assert body["data"] == {"l": "w"}
    assert owners(body) == {("m", "Apply"): data_of("l")}


async def test_two_managers_share_an_object(api: Api, path: str) -> None:
    """Each has its own keys, and removes only those."""
    (await api.apply(path, config_map("a", {"k": "v"}), manager="one")).ok(201)
    (await api.apply(path, config_map("a", {"l": "w"}), manager="two")).ok()
    body = (await api.apply(path, config_map("a"), manager="one")).ok()
    assert body["data"] == {"l": "w"}
    assert owners(body) == {("two", "Apply"): data_of("l")}


async def test_what_two_agree_on_belongs_to_both(api: Api, path: str) -> None:
    """And stays as long as one of them applies it."""
    (await api.apply(path, config_map("a", {"k": "v"}), manager="one")).ok(201)
    body = (await api.apply(path, config_map("a", {"k": "v"}), manager="two")).ok()
    assert owners(body) == {("one", "Apply"): data_of("k"), ("two", "Apply"): data_of("k")}
    body = (await api.apply(path, config_map("a"), manager="one")).ok()
    assert body["data"] == {"k": "v"}
    body = (await api.apply(path, config_map("a"), manager="two")).ok()
    assert "data" not in body


async def test_a_conflict_names_field_and_manager(api: Api, path: str) -> None:
    """Nothing is written; whoever reads the message knows whom to ask."""
    (await api.apply(path, config_map("a", {"k": "v"}), manager="one")).ok(201)
    answer = await api.apply(path, config_map("a", {"k": "w"}), manager="two")
    message = 'conflict with "one": .data.k'
    answer.assert_refused(
        409,
        "Conflict",
        f"Apply failed with 1 conflict: {message}",
        {
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "one"',
                    "field": ".data.k",
                }
            ]
        },
    )
    assert (await api.get(path)).ok()["data"] == {"k": "v"}


async def test_several_conflicts_are_all_named(api: Api, path: str) -> None:
    """In the order of their names if they came in the same second, else as they came."""
    (await api.apply(path, config_map("a", {"k": "v"}), manager="one")).ok(201)
    (await api.apply(path, config_map("a", {"l": "w"}), manager="two")).ok()
    answer = await api.apply(path, config_map("a", {"k": "x", "l": "y"}), manager="three")
    assert answer.status == 409
    assert answer.body["message"].startswith("Apply failed with 2 conflicts: conflict")
    causes = [(cause["message"], cause["field"]) for cause in answer.body["details"]["causes"]]
    wanted = [('conflict with "one"', ".data.k"), ('conflict with "two"', ".data.l")]
    assert sorted(causes) == wanted
    assert all(f'"{manager}"' in answer.body["message"] for manager in ("one", "two"))


async def test_force_takes_the_field(api: Api, path: str) -> None:
    """The other manager loses it."""
    (await api.apply(path, config_map("a", {"k": "v", "l": "w"}), manager="one")).ok(201)
    body = (await api.apply(path, config_map("a", {"k": "x"}), manager="two", force=True)).ok()
    assert body["data"] == {"k": "x", "l": "w"}
    assert owners(body) == {("one", "Apply"): data_of("l"), ("two", "Apply"): data_of("k")}


async def test_an_update_takes_fields_without_asking(api: Api, path: str) -> None:
    """Whoever writes plainly becomes the owner of what he changed, with time and operation."""
    (await api.apply(path, config_map("a", {"k": "v", "l": "w"}), manager="one")).ok(201)
    body = (await api.patch(path, {"data": {"k": "x"}}, fieldManager="editor")).ok()
    assert owners(body) == {
        ("one", "Apply"): data_of("l"),
        ("editor", "Update"): data_of("k"),
    }
    answer = await api.apply(path, config_map("a", {"k": "v", "l": "w"}), manager="one")
    assert answer.status == 409
    cause = answer.body["details"]["causes"][0]
    assert cause["field"] == ".data.k"
    assert cause["message"].startswith('conflict with "editor" using v1')


async def test_a_created_object_belongs_to_its_creator(api: Api, path: str) -> None:
    """Named by `fieldManager`, or else by the beginning of the user agent."""
    collection = path.rpartition("/")[0]
    body = (await api.post(collection, config_map("a", {"k": "v"}, labels={"l": "1"}))).ok(201)
    assert owners(body) == {
        ("conformance", "Update"): {
            "f:data": {".": {}, "f:k": {}},
            "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
        }
    }
    named = (await api.post(collection, config_map("b", {"k": "v"}), fieldManager="me")).ok(201)
    assert list(owners(named)) == [("me", "Update")]


async def test_a_status_has_owners_of_its_own(api: Api, namespace: str) -> None:
    """Entries of a subresource say so."""
    (await api.post(DEPLOYMENTS.path(namespace=namespace), deployment("a"))).ok(201)
    path = DEPLOYMENTS.path(namespace=namespace, name="a", subresource="status")
    status = {"status": {"observedGeneration": 1}}
    body = (await api.patch(path, status, fieldManager="controller")).ok()
    entry = next(e for e in body["metadata"]["managedFields"] if e["manager"] == "controller")
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {"f:observedGeneration": {}}}


async def test_items_of_a_list_have_owners(api: Api, namespace: str) -> None:
    """Containers by name, ports by port and protocol."""
    path = DEPLOYMENTS.path(namespace=namespace, name="a")
    applied = deployment("a")
    applied["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 80}]
    (await api.apply(path, applied, manager="one")).ok(201)
    side = deployment("a")
    side["spec"]["template"]["spec"]["containers"] = [{"name": "side", "image": "side:1"}]
    body = (await api.apply(path, side, manager="two")).ok()
    names = [item["name"] for item in body["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["main", "side"]
    containers = owners(body)["one", "Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    main = containers['k:{"name":"main"}']
    assert main["f:image"] == {}
    assert main["f:ports"] == {
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}
    }
    rest = (await api.apply(path, applied, manager="two", force=True)).ok()
    assert [item["name"] for item in rest["spec"]["template"]["spec"]["containers"]] == ["main"]


async def test_apply_needs_a_manager(api: Api, path: str) -> None:
    """A field without an owner could never be taken back."""
    answer = await api.patch(path, config_map("a"), kind=PatchType.APPLY)
    message = "Required value: is required for apply patch"
    answer.assert_refused(
        422,
        "Invalid",
        f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {message}',
        {
            "group": "meta.k8s.io",
            "kind": "PatchOptions",
            "causes": [
                {"reason": "FieldValueRequired", "message": message, "field": "fieldManager"}
            ],
        },
    )


async def test_force_is_for_apply_alone(api: Api, path: str) -> None:
    """Other patches overwrite anyway."""
    answer = await api.patch(path, {"data": {}}, force=True)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "force"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"metadata": {"name": "b"}}, 400, id="other name"),
        pytest.param({"kind": "Secret"}, 400, id="other kind"),
        pytest.param(
            {"metadata": {"name": "a", "managedFields": [{"manager": "x"}]}}, 400, id="owners"
        ),
    ],
)
async def test_an_applied_object_has_to_fit(
    api: Api, path: str, change: KubeObject, status: int
) -> None:
    """Kind and name are those of the path; ownership is not the caller's to write."""
    answer = await api.apply(path, {**config_map("a"), **change}, manager="m")
    assert (answer.status, answer.body["reason"]) == (status, "BadRequest")


async def test_apply_is_strict_about_fields(api: Api, path: str) -> None:
    """An unknown field would have no owner."""
    answer = await api.apply(path, {**config_map("a"), "colour": "red"}, manager="m")
    assert answer.status == 500
    assert ".colour: field not declared in schema" in answer.body["message"]


async def test_apply_can_insist_on_a_version(api: Api, path: str) -> None:
    """With the resourceVersion of what was read, a later writer wins."""
    made = (await api.apply(path, config_map("a", {"k": "v"}), manager="m")).ok(201)
    (await api.patch(path, {"metadata": {"labels": {"l": "1"}}})).ok()
    version = made["metadata"]["resourceVersion"]
    stale = config_map("a", {"k": "w"}, resourceVersion=version)
    (await api.apply(path, stale, manager="m")).assert_refused(
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please '
        "apply your changes to the latest version and try again",
        details(CONFIG_MAPS, "a"),
    )


async def test_apply_is_written_in_yaml(api: Api, path: str) -> None:
    """The content type says so, and people's files are."""
    answer: Answer = await api.patch(
        path,
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: v\n",
        kind=PatchType.APPLY,
        fieldManager="m",
    )
    assert answer.ok(201)["data"] == {"k": "v"}


async def test_what_is_no_yaml_is_refused(api: Api, path: str) -> None:
    """With what the parser says, whichever it is."""
    answer = await api.patch(path, b"{a: [", kind=PatchType.APPLY, fieldManager="m")
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"].startswith(
        "error decoding patch: error converting YAML to JSON: yaml: "
    )


async def test_ownership_can_be_given_up(api: Api, path: str) -> None:
    """An empty list of owners resets them: the next write starts anew."""
    (await api.apply(path, config_map("a", {"k": "v"}), manager="m")).ok(201)
    body = (await api.patch(path, {"metadata": {"managedFields": [{}]}})).ok()
    assert "managedFields" not in body["metadata"]


async def test_a_lease_is_taken_by_apply(api: Api, namespace: str) -> None:
    """The flows renew through a field manager; the time of the entry moves with the set alone."""
    path = LEASES.path(namespace=namespace, name="a")
    lease: KubeObject = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "a"},
        "spec": {"holderIdentity": "me", "renewTime": "2026-01-01T00:00:00.000000Z"},
    }
    first = (await api.apply(path, lease, manager="m")).ok(201)
    lease["spec"]["renewTime"] = "2026-01-01T00:00:10.000000Z"
    second = (await api.apply(path, lease, manager="m")).ok()
    assert second["spec"]["renewTime"] == "2026-01-01T00:00:10.000000Z"
    assert owners(second) == owners(first)
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
