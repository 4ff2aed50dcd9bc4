"""Nobody hands out more rights than he has: writing roles and bindings."""

from conformance.api import Api
from conformance.callers import Callers
from conformance.objects import RBAC_GROUP, binding, details, role, rule, user_subject
from conformance.rights import grant
from support.waiting import until
from towline_api.resources import ROLE_BINDINGS, ROLES

RBAC_VERBS = ("get", "create", "update", "patch")


async def role_keeper(
    api: Api, callers: Callers, namespace: str, name: str, *more: dict[str, object]
) -> Api:
    """Return a user who may write roles and bindings in a namespace, and list ConfigMaps."""
    rules = (
        rule(RBAC_GROUP, "roles", *RBAC_VERBS),
        rule(RBAC_GROUP, "rolebindings", *RBAC_VERBS),
        rule("", "configmaps", "list"),
        *more,
    )
    await grant(api, f"{name}-keeper", *rules, namespace=namespace, to=user_subject(name))
    user = await callers.user(name)

    async def known() -> bool:
        return (await user.get(ROLES.path(namespace=namespace, name="none"))).status == 404

    await until(known, what=lambda: "the binding to be known")
    return user


async def test_a_role_with_rights_one_has_may_be_written(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Passing on what one may oneself is no escalation."""
    user = await role_keeper(api, callers, namespace, name)
    made = await user.post(
        ROLES.path(namespace=namespace), role("Role", name, rule("", "configmaps", "list"))
    )
    assert made.ok(201)["rules"] == [rule("", "configmaps", "list")]


async def test_a_role_with_more_rights_is_refused(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """The refusal says which rights are missing."""
    user = await role_keeper(api, callers, namespace, name)
    answer = await user.post(
        ROLES.path(namespace=namespace), role("Role", name, rule("", "secrets", "get", "list"))
    )
    answer.assert_refused(
        403,
        "Forbidden",
        f'roles.rbac.authorization.k8s.io "{name}" is forbidden: user "{name}" '
        '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently '
        'held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
        details(ROLES, name),
    )


async def test_a_role_may_not_grow_beyond_its_writer(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Neither by an update nor by a patch."""
    user = await role_keeper(api, callers, namespace, name)
    path = ROLES.path(namespace=namespace, name=name)
    small = role("Role", name, rule("", "configmaps", "list"))
    made = (await user.post(ROLES.path(namespace=namespace), small)).ok(201)
    grown = {**made, "rules": [rule("", "configmaps", "list", "delete")]}
    for answer in (
        await user.put(path, grown),
        await user.patch(path, {"rules": grown["rules"]}),
    ):
        assert answer.status == 403
        assert answer.body["reason"] == "Forbidden"
        assert answer.body["message"].endswith(
            '{APIGroups:[""], Resources:["configmaps"], Verbs:["delete"]}'
        )
    assert (await api.get(path)).ok()["rules"] == small["rules"]


async def test_only_garbage_collection_writes_a_bigger_role(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Even a label takes the rights that the role holds; its finalizers do not."""
    user = await role_keeper(api, callers, namespace, name)
    path = ROLES.path(namespace=namespace, name=name)
    big = role("Role", name, rule("", "secrets", "get"))
    (await api.post(ROLES.path(namespace=namespace), big)).ok(201)
    refused = await user.patch(path, {"metadata": {"labels": {"a": "b"}}})
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    changed = (await user.patch(path, {"metadata": {"finalizers": ["example.com/f"]}})).ok()
    assert changed["metadata"]["finalizers"] == ["example.com/f"]


async def test_the_verb_escalate_lifts_the_limit(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """That is how operators that write roles for others do it."""
    user = await role_keeper(api, callers, namespace, name, rule(RBAC_GROUP, "roles", "escalate"))
    big = role("Role", name, rule("", "secrets", "get"))
    (await user.post(ROLES.path(namespace=namespace), big)).ok(201)


async def test_a_binding_to_a_bigger_role_is_refused(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Else one would bind oneself to cluster-admin."""
    user = await role_keeper(api, callers, namespace, name)
    (
        await api.post(
            ROLES.path(namespace=namespace), role("Role", name, rule("", "secrets", "get"))
        )
    ).ok(201)
    bound = binding(
        "RoleBinding", name, role_kind="Role", role_name=name, subjects=[user_subject(name)]
    )
    answer = await user.post(ROLE_BINDINGS.path(namespace=namespace), bound)
    answer.assert_refused(
        403,
        "Forbidden",
        f'rolebindings.rbac.authorization.k8s.io "{name}" is forbidden: user "{name}" '
        '(groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently '
        'held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
        details(ROLE_BINDINGS, name),
    )


async def test_the_verb_bind_lifts_the_limit_for_a_role(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """For the roles that the rule names and no other."""
    user = await role_keeper(
        api,
        callers,
        namespace,
        name,
        rule(RBAC_GROUP, "roles", "bind", resource_names=[name]),
    )
    path = ROLE_BINDINGS.path(namespace=namespace)
    for made in (name, f"{name}-other"):
        (
            await api.post(
                ROLES.path(namespace=namespace), role("Role", made, rule("", "secrets", "get"))
            )
        ).ok(201)
    for made, status in ((name, 201), (f"{name}-other", 403)):
        bound = binding(
            "RoleBinding", made, role_kind="Role", role_name=made, subjects=[user_subject("other")]
        )
        assert (await user.post(path, bound)).status == status


async def test_a_binding_to_a_role_that_is_not_there_is_refused(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """Nobody can tell how much it will grant; masters may."""
    user = await role_keeper(api, callers, namespace, name)
    bound = binding(
        "RoleBinding",
        name,
        role_kind="ClusterRole",
        role_name=name,
        subjects=[user_subject(name)],
    )
    answer = await user.post(ROLE_BINDINGS.path(namespace=namespace), bound)
    answer.assert_refused(
        404,
        "NotFound",
        f'rolebindings.rbac.authorization.k8s.io "{name}" not found',
        details(ROLE_BINDINGS, name),
    )
    (await api.post(ROLE_BINDINGS.path(namespace=namespace), bound)).ok(201)


async def test_the_role_of_a_binding_never_changes(api: Api, namespace: str, name: str) -> None:
    """Not even for the administrator: a binding to another role is another binding."""
    bound = binding(
        "RoleBinding", name, role_kind="Role", role_name=name, subjects=[user_subject(name)]
    )
    (await api.post(ROLE_BINDINGS.path(namespace=namespace), bound)).ok(201)
    path = ROLE_BINDINGS.path(namespace=namespace, name=name)
    answer = await api.patch(path, {"roleRef": {"name": "other"}})
    assert answer.status == 422
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role",'
            '"Name":"other"}: field is immutable',
            "field": "roleRef",
        }
    ]
