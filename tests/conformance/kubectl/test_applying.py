"""`kubectl apply`, on the client's and on the server's side."""

import json

import yaml

from conformance.api import Api
from conformance.kubectl.command import Kubectl
from conformance.objects import CONFIG_MAPS, config_map, deployment
from towline_api.resources import KubeObject

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

REVIEW_CONFLICTS = """\
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts"""


async def read(api: Api, kubectl: Kubectl, name: str) -> KubeObject:
    """Return a ConfigMap as it is stored."""
    return (await api.get(CONFIG_MAPS.path(namespace=kubectl.namespace, name=name))).ok()


def owners(stored: KubeObject) -> list[tuple[str, str, list[str]]]:
    """Return who owns which entries of a ConfigMap's data, and by what.

    Sorted: the server sorts by second, so that its order depends on when the test ran.
    """
    return sorted(
        (
            entry["manager"],
            entry["operation"],
            sorted(key.removeprefix("f:") for key in entry["fieldsV1"]["f:data"]),
        )
        for entry in stored["metadata"]["managedFields"]
        if "f:data" in entry["fieldsV1"]
    )


async def test_what_is_applied_is_created_then_changed(kubectl: Kubectl, api: Api) -> None:
    """To apply the same again sends no write; what is left out is taken away."""
    (await kubectl("apply", "-f", "-", stdin=config_map("c", {"a": "1", "b": "2"}))).assert_said(
        "configmap/c created"
    )
    created = await read(api, kubectl, "c")
    (await kubectl("apply", "-f", "-", stdin=config_map("c", {"a": "1", "b": "2"}))).assert_said(
        "configmap/c unchanged"
    )
    assert await read(api, kubectl, "c") == created
    path = CONFIG_MAPS.path(namespace=kubectl.namespace, name="c")
    (await api.patch(path, {"data": {"other": "stays"}})).ok()
    (await kubectl("apply", "-f", "-", stdin=config_map("c", {"a": "3"}))).assert_said(
        "configmap/c configured"
    )
    stored = await read(api, kubectl, "c")
    assert stored["data"] == {"a": "3", "other": "stays"}
    assert json.loads(stored["metadata"]["annotations"][LAST_APPLIED])["data"] == {"a": "3"}
    assert owners(stored) == [
        ("conformance", "Update", ["other"]),
        ("kubectl-client-side-apply", "Update", [".", "a"]),
    ]


async def test_what_was_not_applied_before_is_taken_over(kubectl: Kubectl, api: Api) -> None:
    """With a warning: nothing says what was left out."""
    (await kubectl("create", "cm", "c", "--from-literal=a=1")).ok()
    ran = await kubectl("apply", "-f", "-", stdin=config_map("c", {"b": "2"}))
    assert (ran.code, ran.out) == (0, "configmap/c configured\n")
    assert ran.err.startswith(
        f"Warning: resource configmaps/c is missing the {LAST_APPLIED} annotation"
    )
    assert (await read(api, kubectl, "c"))["data"] == {"a": "1", "b": "2"}


async def test_lists_of_workloads_are_merged(kubectl: Kubectl, api: Api) -> None:
    """Kubectl makes a strategic patch of what it knows from OpenAPI: sidecars stay."""
    wanted = deployment("web", image="nginx:1")
    (await kubectl("apply", "-f", "-", stdin=wanted)).assert_said("deployment.apps/web created")
    path = f"/apis/apps/v1/namespaces/{kubectl.namespace}/deployments/web"
    sidecar = {"op": "add", "path": "/spec/template/spec/containers/-"}
    patch = [{**sidecar, "value": {"name": "side", "image": "side:1"}}]
    ran = await kubectl("patch", "deploy", "web", "--type=json", "-p", json.dumps(patch))
    ran.assert_said("deployment.apps/web patched")
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    ran = await kubectl("apply", "-f", "-", stdin=wanted)
    ran.assert_said("deployment.apps/web configured")
    stored = (await api.get(path)).ok()
    containers = stored["spec"]["template"]["spec"]["containers"]
    assert [(c["name"], c["image"]) for c in containers] == [
        ("main", "nginx:2"),
        ("side", "side:1"),
    ]
    assert stored["metadata"]["generation"] == 3


async def test_what_nobody_applies_any_more_is_pruned(kubectl: Kubectl) -> None:
    """`--prune` finds by label what was applied once."""
    first, second = (config_map(name, labels={"app": "x"}) for name in ("first", "second"))
    (await kubectl("apply", "-f", "-", stdin=[first, second])).assert_said(
        "configmap/first created", "configmap/second created"
    )
    words = ("apply", "--prune", "-l", "app=x", "--prune-allowlist=core/v1/ConfigMap", "-f", "-")
    pruned = await kubectl(*words, stdin=second)
    assert pruned.out.splitlines() == ["configmap/second unchanged", "configmap/first pruned"]
    (await kubectl("get", "cm", "-l", "app=x", "-o", "name")).assert_said("configmap/second")


async def test_unknown_fields_are_refused(kubectl: Kubectl) -> None:
    """Kubectl asks the server to be strict unless it is told otherwise."""
    mistaken = {**config_map("c"), "dada": {}}
    (await kubectl("apply", "-f", "-", stdin=mistaken)).assert_failed(
        'Error from server (BadRequest): error when creating "STDIN": ConfigMap in version "v1" '
        'cannot be handled as a ConfigMap: strict decoding error: unknown field "dada"'
    )
    warned = await kubectl("apply", "--validate=warn", "-f", "-", stdin=mistaken)
    assert (warned.code, warned.out) == (0, "configmap/c created\n")
    assert warned.err == 'Warning: unknown field "dada"\n'
    (await kubectl("delete", "cm", "c")).ok()
    (await kubectl("apply", "--validate=ignore", "-f", "-", stdin=mistaken)).assert_said(
        "configmap/c created"
    )


async def test_a_dry_run_stores_nothing(kubectl: Kubectl, api: Api) -> None:
    """But prints what would be."""
    words = ("apply", "--dry-run=server", "-f", "-")
    (await kubectl(*words, stdin=config_map("c", {"a": "1"}))).assert_said(
        "configmap/c created (server dry run)"
    )
    (await kubectl("get", "cm", "c")).assert_failed(
        'Error from server (NotFound): configmaps "c" not found'
    )
    (await kubectl("apply", "-f", "-", stdin=config_map("c", {"a": "1"}))).ok()
    before = await read(api, kubectl, "c")
    shown = await kubectl(*words, "-o", "yaml", stdin=config_map("c", {"a": "2"}))
    assert yaml.safe_load(shown.ok())["data"] == {"a": "2"}
    assert await read(api, kubectl, "c") == before


async def test_a_difference_is_shown(kubectl: Kubectl) -> None:
    """`diff` compares with what a dry run answers, and says by its exit status that it differs."""
    (await kubectl("apply", "-f", "-", stdin=config_map("c", {"a": "1"}))).ok()
    (await kubectl("diff", "-f", "-", stdin=config_map("c", {"a": "1"}))).assert_said()
    ran = await kubectl("diff", "-f", "-", stdin=config_map("c", {"a": "2"}))
    assert (ran.code, ran.err) == (1, "")
    changed = [line for line in ran.out.splitlines() if line[:1] in "+-" and "last-" not in line]
    assert [line for line in changed if line.startswith(("-  a", "+  a"))] == [
        '-  a: "1"',
        '+  a: "2"',
    ]


async def test_managers_share_an_object(kubectl: Kubectl, api: Api) -> None:
    """Who applies the same value owns it too; what its last owner leaves out is gone."""
    apply = ("apply", "--server-side", "-f", "-")
    ran = await kubectl(*apply, stdin=config_map("c", {"a": "1", "b": "2"}))
    ran.assert_said("configmap/c serverside-applied")
    (await kubectl(*apply, "--field-manager=two", stdin=config_map("c", {"a": "1"}))).ok()
    assert owners(await read(api, kubectl, "c")) == [
        ("kubectl", "Apply", ["a", "b"]),
        ("two", "Apply", ["a"]),
    ]
    (await kubectl(*apply, stdin=config_map("c", {}))).ok()
    stored = await read(api, kubectl, "c")
    assert stored["data"] == {"a": "1"}
    assert ("two", "Apply", ["a"]) in owners(stored)


async def test_a_conflict_is_explained(kubectl: Kubectl, api: Api) -> None:
    """Nothing is changed until the caller insists."""
    apply = ("apply", "--server-side", "-f", "-")
    (await kubectl(*apply, stdin=config_map("c", {"a": "1", "b": "2"}))).ok()
    before = await read(api, kubectl, "c")
    other = (*apply, "--field-manager=other")
    (await kubectl(*other, stdin=config_map("c", {"a": "9", "b": "2"}))).assert_failed(
        'error: Apply failed with 1 conflict: conflict with "kubectl": .data.a',
        *REVIEW_CONFLICTS.splitlines(),
    )
    (await kubectl(*other, stdin=config_map("c", {"a": "9", "b": "8"}))).assert_failed(
        'error: Apply failed with 2 conflicts: conflicts with "kubectl":',
        "- .data.a",
        "- .data.b",
        *REVIEW_CONFLICTS.splitlines(),
    )
    assert await read(api, kubectl, "c") == before
    forced = await kubectl(*other, "--force-conflicts", stdin=config_map("c", {"a": "9"}))
    forced.assert_said("configmap/c serverside-applied")
    stored = await read(api, kubectl, "c")
    assert stored["data"] == {"a": "9", "b": "2"}
    assert owners(stored) == [("kubectl", "Apply", ["b"]), ("other", "Apply", ["a"])]


async def test_a_conflict_with_a_writer_names_its_way(kubectl: Kubectl) -> None:
    """Not only those who apply own fields."""
    (await kubectl("create", "cm", "c", "--from-literal=a=1")).ok()
    ran = await kubectl("apply", "--server-side", "-f", "-", stdin=config_map("c", {"a": "2"}))
    assert ran.code == 1
    assert ran.err.splitlines()[0] == (
        'error: Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data.a'
    )


async def test_client_side_apply_is_migrated(kubectl: Kubectl, api: Api) -> None:
    """Who changes to the server's side keeps what was its own, and can leave it out later."""
    (await kubectl("apply", "-f", "-", stdin=config_map("c", {"a": "1", "b": "2"}))).ok()
    apply = ("apply", "--server-side", "-f", "-")
    (await kubectl(*apply, stdin=config_map("c", {"a": "1", "b": "2"}))).assert_said(
        "configmap/c serverside-applied"
    )
    assert owners(await read(api, kubectl, "c")) == [("kubectl", "Apply", ["a", "b"])]
    (await kubectl(*apply, stdin=config_map("c", {"a": "1"}))).ok()
    assert (await read(api, kubectl, "c"))["data"] == {"a": "1"}


async def test_what_was_applied_last_can_be_read(kubectl: Kubectl) -> None:
    """From the annotation."""
    (await kubectl("apply", "-f", "-", stdin=config_map("c", {"a": "1"}))).ok()
    shown = yaml.safe_load((await kubectl("apply", "view-last-applied", "cm", "c")).ok())
    assert (shown["data"], shown["metadata"]["name"]) == ({"a": "1"}, "c")


async def test_a_list_is_applied_item_by_item(kubectl: Kubectl) -> None:
    """A List is no kind of the server's: kubectl asks OpenAPI v2 what to make of it."""
    wrong = {**config_map("wrong"), "data": {"a": 1}}
    ran = await kubectl("apply", "-f", "-", stdin=[config_map("good"), wrong])
    assert (ran.code, ran.out) == (1, "configmap/good created\n")
    assert ran.err == (
        'Error from server (BadRequest): error when creating "STDIN": ConfigMap in version "v1" '
        "cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field "
        "ConfigMap.data of type string\n"
    )
