"""Namespaces: what comes with one, and how one ends."""

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map, details
from support.waiting import until
from towline_api.resources import LEASES, NAMESPACES, SERVICE_ACCOUNTS, KubeObject


async def test_a_namespace_comes_with_an_account_and_a_root(api: Api, namespace: str) -> None:
    """The default ServiceAccount and the certificate of the authority, by the controllers."""
    account = SERVICE_ACCOUNTS.path(namespace=namespace, name="default")
    root = CONFIG_MAPS.path(namespace=namespace, name="kube-root-ca.crt")

    async def both() -> bool:
        return all([(await api.get(path)).status == 200 for path in (account, root)])

    await until(both, what=lambda: f"{account} and {root}")
    assert "BEGIN CERTIFICATE" in (await api.get(root)).ok()["data"]["ca.crt"]


async def test_a_deleted_namespace_takes_all_with_it(api: Api, namespace: str) -> None:
    """It is marked first; its content goes; then it goes itself."""
    lease = LEASES.path(namespace=namespace)
    (await api.post(lease, {"metadata": {"name": "a"}})).ok(201)
    path = NAMESPACES.path(name=namespace)
    body = (await api.delete(path)).ok()
    assert body["kind"] == "Namespace"
    assert body["status"]["phase"] == "Terminating"
    assert body["metadata"]["deletionTimestamp"]

    async def gone() -> bool:
        return (await api.get(path)).status == 404

    await until(gone, what=lambda: f"{path} is still there")
    assert (await api.get(f"{lease}/a")).status == 404


async def test_nothing_new_comes_into_an_ending_namespace(api: Api, namespace: str) -> None:
    """What is there may still be written."""
    path = CONFIG_MAPS.path(namespace=namespace)
    (await api.post(path, config_map("held", finalizers=["example.com/hold"]))).ok(201)
    (await api.delete(NAMESPACES.path(name=namespace))).ok()
    message = (
        f"unable to create new content in namespace {namespace} because it is being terminated"
    )
    (await api.post(path, config_map("late"))).assert_refused(
        403,
        "Forbidden",
        f'configmaps "late" is forbidden: {message}',
        details(
            CONFIG_MAPS,
            "late",
            causes=[
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        ),
    )
    (await api.patch(f"{path}/held", {"data": {"k": "v"}})).ok()


async def test_what_is_held_holds_its_namespace(api: Api, namespace: str) -> None:
    """And the namespace says what it is waiting for."""
    path = CONFIG_MAPS.path(namespace=namespace)
    (await api.post(path, config_map("held", finalizers=["example.com/hold"]))).ok(201)
    place = NAMESPACES.path(name=namespace)
    (await api.delete(place)).ok()
    seen: list[KubeObject] = []

    async def explains() -> bool:
        seen.append((await api.get(place)).ok())
        conditions = {c["type"]: c for c in seen[-1]["status"].get("conditions", ())}
        return bool(conditions.get("NamespaceFinalizersRemaining", {}).get("status") == "True")

    await until(explains, what=lambda: seen[-1])
    conditions = {c["type"]: c for c in seen[-1]["status"]["conditions"]}
    assert conditions["NamespaceFinalizersRemaining"]["reason"] == "SomeFinalizersRemain"
    assert conditions["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource "
        "instances"
    )
    assert conditions["NamespaceContentRemaining"]["status"] == "True"
    assert seen[-1]["status"]["phase"] == "Terminating"


async def test_the_default_namespace_stays(api: Api) -> None:
    """A cluster without it is none."""
    (await api.delete(NAMESPACES.path(name="default"))).assert_refused(
        403,
        "Forbidden",
        'namespaces "default" is forbidden: this namespace may not be deleted',
        details(NAMESPACES, "default"),
    )


async def test_namespaces_are_not_deleted_as_a_collection(api: Api) -> None:
    """One by one only."""
    answer = await api.delete(NAMESPACES.path())
    answer.assert_refused(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )


async def test_finalizers_of_a_namespace_go_through_a_subresource(api: Api, namespace: str) -> None:
    """An update of the namespace itself does not touch them."""
    path = NAMESPACES.path(name=namespace)
    body = (await api.patch(path, {"spec": {"finalizers": []}})).ok()
    assert body["spec"] == {"finalizers": ["kubernetes"]}
    more = {**body, "spec": {"finalizers": ["kubernetes", "example.com/hold"]}}
    held = (await api.put(f"{path}/finalize", more)).ok()
    assert held["spec"]["finalizers"] == ["kubernetes", "example.com/hold"]
    less = {**held, "spec": {"finalizers": ["kubernetes"]}}
    (await api.put(f"{path}/finalize", less)).ok()


async def test_a_name_of_a_namespace_is_a_label(api: Api) -> None:
    """Since it becomes a part of host names."""
    message = 'Invalid value: "a.b": must not contain dots'
    (await api.post(NAMESPACES.path(), {"metadata": {"name": "a.b"}})).assert_refused(
        422,
        "Invalid",
        f'Namespace "a.b" is invalid: metadata.name: {message}',
        {
            "name": "a.b",
            "kind": "Namespace",
            "causes": [
                {"reason": "FieldValueInvalid", "message": message, "field": "metadata.name"}
            ],
        },
    )
