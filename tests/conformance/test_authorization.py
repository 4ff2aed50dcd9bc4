"""What a caller may do: RBAC from the stored roles and bindings, and the sentences of refusal."""

import pytest

from conformance.api import Answer, Api
from conformance.callers import Callers
from conformance.objects import (
    CONFIG_MAPS,
    account_subject,
    binding,
    config_map,
    group_subject,
    role,
    rule,
    user_subject,
)
from conformance.rights import grant, grant_everywhere, until_allowed
from support.waiting import until
from towline_api.resources import (
    CLUSTER_ROLES,
    LEASES,
    ROLE_BINDINGS,
    SERVICE_ACCOUNTS,
    KubeObject,
)


def forbidden_text(user: str, verb: str, resource: str, group: str, scope: str) -> str:
    """Return the end of the sentence by which a right is refused."""
    return f'User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {scope}'


@pytest.mark.parametrize(
    ("method", "verb", "of_one"),
    [
        pytest.param("GET", "get", True, id="get"),
        pytest.param("GET", "list", False, id="list"),
        pytest.param("POST", "create", False, id="create"),
        pytest.param("PUT", "update", True, id="update"),
        pytest.param("PATCH", "patch", True, id="patch"),
        pytest.param("DELETE", "delete", True, id="delete"),
        pytest.param("DELETE", "deletecollection", False, id="deletecollection"),
    ],
)
async def test_every_verb_takes_a_right(
    callers: Callers, namespace: str, name: str, method: str, verb: str, *, of_one: bool
) -> None:
    """The refusal names user, verb, resource, group and namespace, as people search for it."""
    user = await callers.user(name)
    path = LEASES.path(namespace=namespace, name="one" if of_one else None)
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    body: KubeObject | None = None if method in ("GET", "DELETE") else {}
    answer = await user.call(method, path, body, headers=headers)
    subject = 'leases.coordination.k8s.io "one"' if of_one else "leases.coordination.k8s.io"
    sentence = forbidden_text(
        name, verb, "leases", "coordination.k8s.io", f'in the namespace "{namespace}"'
    )
    answer.assert_refused(
        403,
        "Forbidden",
        f"{subject} is forbidden: {sentence}",
        {
            **({"name": "one"} if of_one else {}),
            "group": "coordination.k8s.io",
            "kind": "leases",
        },
    )


async def test_a_watch_takes_a_right_of_its_own(callers: Callers, name: str) -> None:
    """Listing does not include watching."""
    user = await callers.user(name)
    answer = await user.get("/api/v1/nodes", watch=True)
    answer.assert_refused(
        403,
        "Forbidden",
        f"nodes is forbidden: {forbidden_text(name, 'watch', 'nodes', '', 'at the cluster scope')}",
        {"kind": "nodes"},
    )


async def test_a_role_grants_in_its_namespace_only(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """The same user is a stranger next door."""
    await grant(
        api, name, rule("", "configmaps", "list"), namespace=namespace, to=user_subject(name)
    )
    user = await callers.user(name)
    assert (await until_allowed(user, CONFIG_MAPS.path(namespace=namespace))).status == 200
    assert (await user.get(CONFIG_MAPS.path(namespace="default"))).status == 403
    assert (await user.get(CONFIG_MAPS.path())).status == 403
    assert (await user.delete(CONFIG_MAPS.path(namespace=namespace))).status == 403


async def test_a_cluster_role_can_be_granted_in_one_namespace(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """A RoleBinding to a ClusterRole is how one role serves all cluster namespaces."""
    rules = rule("", "configmaps", "list")
    (await api.post(CLUSTER_ROLES.path(), role("ClusterRole", name, rules))).ok(201)
    bound = binding(
        "RoleBinding", name, role_kind="ClusterRole", role_name=name, subjects=[user_subject(name)]
    )
    (await api.post(ROLE_BINDINGS.path(namespace=namespace), bound)).ok(201)
    user = await callers.user(name)
    assert (await until_allowed(user, CONFIG_MAPS.path(namespace=namespace))).status == 200
    assert (await user.get(CONFIG_MAPS.path(namespace="default"))).status == 403


async def test_a_group_is_granted_what_is_bound_to_it(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Every agent of a cluster shares its cluster's group."""
    await grant(
        api, name, rule("", "configmaps", "list"), namespace=namespace, to=group_subject(name)
    )
    member = await callers.user("somebody", groups=(name,))
    assert (await until_allowed(member, CONFIG_MAPS.path(namespace=namespace))).status == 200
    stranger = await callers.user(name)
    assert (await stranger.get(CONFIG_MAPS.path(namespace=namespace))).status == 403


async def test_resource_names_bound_a_right(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """The rights of agents end at the objects that are theirs."""
    await grant(
        api,
        name,
        rule("", "configmaps", "get", "delete", "list", resource_names=["mine"]),
        namespace=namespace,
        to=user_subject(name),
    )
    for made in ("mine", "yours"):
        (await api.post(CONFIG_MAPS.path(namespace=namespace), config_map(made))).ok(201)
    user = await callers.user(name)
    mine = CONFIG_MAPS.path(namespace=namespace, name="mine")
    assert (await until_allowed(user, mine)).status == 200
    assert (await user.get(CONFIG_MAPS.path(namespace=namespace, name="yours"))).status == 403
    everything = CONFIG_MAPS.path(namespace=namespace)
    assert (await user.get(everything)).status == 403
    chosen = await user.get(everything, fieldSelector="metadata.name=mine")
    assert [item["metadata"]["name"] for item in chosen.ok()["items"]] == ["mine"]
    assert (await user.get(everything, fieldSelector="metadata.name=yours")).status == 403


async def test_a_subresource_takes_a_right_of_its_own(
    api: Api, callers: Callers, name: str
) -> None:
    """Whoever may write an object may not yet write its status, and the other way round."""
    await grant_everywhere(api, name, rule("", "nodes/status", "get"), to=user_subject(name))
    user = await callers.user(name)
    answer = await until_allowed(user, "/api/v1/nodes/none/status")
    answer.assert_refused(
        404, "NotFound", 'nodes "none" not found', {"name": "none", "kind": "nodes"}
    )
    (await user.get("/api/v1/nodes/none")).assert_refused(
        403,
        "Forbidden",
        'nodes "none" is forbidden: '
        + forbidden_text(name, "get", "nodes", "", "at the cluster scope"),
        {"name": "none", "kind": "nodes"},
    )
    (await user.put("/api/v1/nodes/none/status", {})).assert_refused(
        403,
        "Forbidden",
        'nodes "none" is forbidden: '
        + forbidden_text(name, "update", "nodes/status", "", "at the cluster scope"),
        {"name": "none", "kind": "nodes"},
    )


async def test_paths_that_are_no_resources_take_rights_as_well(
    api: Api, callers: Callers, name: str
) -> None:
    """Rules name them as they are, or up to a star."""
    user = await callers.user(name)
    refused = await user.get("/metrics")
    refused.assert_refused(
        403, "Forbidden", f'forbidden: User "{name}" cannot get path "/metrics"', {}
    )
    rules = {"nonResourceURLs": ["/metrics", "/logs/*"], "verbs": ["get"]}
    await grant_everywhere(api, name, rules, to=user_subject(name))
    assert (await until_allowed(user, "/logs/x")).status == 404
    assert (await user.get("/livez")).status == 200  # everybody may
    assert (await user.get("/debug/x")).status == 403


async def test_rights_of_a_removed_binding_end(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Taking a right back works as fast as giving it."""
    await grant(
        api, name, rule("", "configmaps", "list"), namespace=namespace, to=user_subject(name)
    )
    user = await callers.user(name)
    path = CONFIG_MAPS.path(namespace=namespace)
    assert (await until_allowed(user, path)).status == 200
    (await api.delete(ROLE_BINDINGS.path(namespace=namespace, name=name))).ok()

    async def refused() -> bool:
        return (await user.get(path)).status == 403

    await until(refused, what=lambda: "the right to end")


async def test_a_binding_to_a_missing_role_grants_nothing(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Until the role is there; the refusal says what was not found."""
    bound = binding(
        "RoleBinding", name, role_kind="Role", role_name=name, subjects=[user_subject(name)]
    )
    (await api.post(ROLE_BINDINGS.path(namespace=namespace), bound)).ok(201)
    user = await callers.user(name)
    sentence = forbidden_text(name, "list", "configmaps", "", f'in the namespace "{namespace}"')
    expected = (
        f'configmaps is forbidden: {sentence}: rbac: RBAC: role.rbac.authorization.k8s.io "{name}" '
        "not found"
    )
    seen: list[Answer] = []

    async def mentions_role() -> bool:
        seen.append(await user.get(CONFIG_MAPS.path(namespace=namespace)))
        return "RBAC" in seen[-1].text

    await until(mentions_role, what=lambda: seen[-1].text)
    seen[-1].assert_refused(403, "Forbidden", expected, {"kind": "configmaps"})


async def test_a_service_account_is_granted_what_is_bound_to_it(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Bindings name it by namespace and name, or by the groups of its namespace."""
    accounts = SERVICE_ACCOUNTS.path(namespace=namespace)
    (await api.post(accounts, {"metadata": {"name": name}})).ok(201)
    await grant(
        api,
        name,
        rule("", "configmaps", "list"),
        namespace=namespace,
        to=account_subject(name, namespace=namespace),
    )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = (await api.post(f"{accounts}/{name}/token", request)).ok(201)
    account = await callers.token(made["status"]["token"])
    assert (await until_allowed(account, CONFIG_MAPS.path(namespace=namespace))).status == 200
    sentence = forbidden_text(
        f"system:serviceaccount:{namespace}:{name}",
        "list",
        "configmaps",
        "",
        'in the namespace "default"',
    )
    (await account.get(CONFIG_MAPS.path(namespace="default"))).assert_refused(
        403, "Forbidden", f"configmaps is forbidden: {sentence}", {"kind": "configmaps"}
    )
