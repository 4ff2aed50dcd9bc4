"""Giving rights to users of a test, and waiting until the server knows."""

from conformance.api import Answer, Api
from conformance.objects import binding, role
from support.waiting import until
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
)


async def grant(api: Api, name: str, *rules: KubeObject, namespace: str, to: KubeObject) -> None:
    """Give somebody these rights in a namespace."""
    (await api.post(ROLES.path(namespace=namespace), role("Role", name, *rules))).ok(201)
    bound = binding("RoleBinding", name, role_kind="Role", role_name=name, subjects=[to])
    (await api.post(ROLE_BINDINGS.path(namespace=namespace), bound)).ok(201)


async def grant_everywhere(api: Api, name: str, *rules: KubeObject, to: KubeObject) -> None:
    """Give somebody these rights in the whole cluster."""
    (await api.post(CLUSTER_ROLES.path(), role("ClusterRole", name, *rules))).ok(201)
    bound = binding(
        "ClusterRoleBinding", name, role_kind="ClusterRole", role_name=name, subjects=[to]
    )
    (await api.post(CLUSTER_ROLE_BINDINGS.path(), bound)).ok(201)


async def until_allowed(api: Api, path: str) -> Answer:
    """Read until the server has taken notice of a new binding, which may take it a moment."""
    answers: list[Answer] = []

    async def allowed() -> bool:
        answers.append(await api.get(path))
        return answers[-1].status != 403

    await until(allowed, what=lambda: answers[-1].text)
    return answers[-1]
