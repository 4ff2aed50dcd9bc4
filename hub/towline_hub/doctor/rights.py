"""Asking what the hub may do: every right of its shipped roles, and those it must not have."""

import asyncio
from collections.abc import Sequence

from towline_api.metadata import key_of
from towline_api.rbac_subjects import service_account_subject, user_subject
from towline_api.resources import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, KubeObject
from towline_hub.doctor.hub_checks import DANGEROUS_RIGHTS, Rights
from towline_hub.looking import Unseen, look
from towline_hub.role_rights import rights_of
from towline_kube.access import ResourceAttributes
from towline_kube.client import Client
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

_AT_A_TIME = 10


def subject_of(user: str) -> KubeObject:
    """Return what a binding names a user by: a service account, or the user."""
    match user.split(":"):
        case ["system", "serviceaccount", namespace, name]:
            return service_account_subject(name, namespace=namespace)
    return user_subject(user)


def groups_of(user: str) -> tuple[str, ...]:
    """Return the groups Kubernetes puts a user into without being told."""
    match user.split(":"):
        case ["system", "serviceaccount", namespace, _]:
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
            return (*groups, "system:authenticated")
    return ("system:authenticated",)


async def look_at_rights(
    client: Client,
    *,
    user: str,
    me: str,
    shipped: Sequence[KubeObject],
    optional: Sequence[KubeObject],
) -> Rights | Unseen:
    """Return what the hub may do, or what it takes to find out.

    Args:
        client: Whom to ask.
        user: The hub's user name.
        me: Who asks: the hub itself needs no right to ask about itself.
        shipped: The roles and bindings that come with the hub as it is told to run.
        optional: Those that other settings need, which may be there as well.
    """
    limit = asyncio.Semaphore(_AT_A_TIME)

    async def may(right: ResourceAttributes) -> bool | Unseen:
        async with limit:
            return await look(_ask(client, right, user=None if user == me else user))

    needed = rights_of(shipped)
    with one_failure():
        async with TaskGroup() as group:
            tasks = {
                right: group.create_task(may(right), name="review-access")
                for right in (*needed, *DANGEROUS_RIGHTS)
            }
            bindings = group.create_task(
                _other_bindings(client, user=user, known=(*shipped, *optional)),
                name="list-bindings",
            )
    answers = {right: task.result() for right, task in tasks.items()}
    blind = next((answer for answer in answers.values() if isinstance(answer, Unseen)), None)
    if blind is not None:
        return blind
    return Rights(
        user=user,
        missing=[right for right in needed if not answers[right]],
        asked=len(needed),
        dangerous=[right for right in DANGEROUS_RIGHTS if answers[right]],
        bindings=bindings.result(),
    )


async def _ask(client: Client, right: ResourceAttributes, *, user: str | None) -> bool:
    if user is None:
        return await client.can_i(
            verb=right.verb,
            group=right.group,
            resource=right.resource,
            subresource=right.subresource,
            name=right.name,
            namespace=right.namespace,
        )
    return await client.review_access(
        user=user,
        groups=groups_of(user),
        verb=right.verb,
        group=right.group,
        resource=right.resource,
        subresource=right.subresource,
        name=right.name,
        namespace=right.namespace,
    )


async def _other_bindings(
    client: Client, *, user: str, known: Sequence[KubeObject]
) -> Sequence[str] | Unseen:
    expected = {(obj["kind"], key_of(obj)) for obj in known}
    wanted = subject_of(user)
    found = []
    for resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
        listed = await look(client.list(resource))
        if isinstance(listed, Unseen):
            return listed
        found += [
            f"{resource.kind} {key_of(binding)}"
            for binding in listed.items
            if (resource.kind, key_of(binding)) not in expected
            and any(_is(subject, wanted) for subject in binding.get("subjects") or ())
        ]
    return found


def _is(subject: KubeObject, wanted: KubeObject) -> bool:
    return all(subject.get(key) == wanted.get(key) for key in ("kind", "name", "namespace"))
