"""People decide: accept, deny, remove, approve, each with exactly the rights it says it takes."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from integration.hub.conftest import RunHub
from integration.hub.spoke import Spoke, condition_is, decision, eventually, issued, until_condition
from support.plane_clients import client_of
from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED, REGISTRATION_APPLIED
from towline_api.metadata import annotations_of
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    EVENTS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    KubeObject,
)
from towline_certs import Subject, generate_key
from towline_certs.signing_requests import SigningRequest
from towline_hub.clusters.rbac import Rule, cluster_role, cluster_role_binding, rule
from towline_hub.decisions.accept import AcceptError, accept_cluster
from towline_hub.decisions.approve_request import (
    ApproveError,
    approve_request,
    rights_to_approve,
    rights_to_approve_request,
)
from towline_hub.decisions.cluster_commands import (
    rights_to_accept,
    rights_to_deny,
    rights_to_remove,
)
from towline_hub.decisions.cluster_waiting import wait_for_cluster
from towline_hub.decisions.deny import DenyError, deny_cluster
from towline_hub.decisions.own_rights import MissingRightError, Right, check_rights
from towline_hub.decisions.removal import RemoveError, remove_cluster
from towline_hub.joining.bootstrap_tokens import create_token
from towline_hub.joining.bound_bootstrap import bound_rules
from towline_hub.joining.listed_tokens import list_tokens
from towline_hub.joining.token_commands import rights_to_create, rights_to_list, rights_to_revoke
from towline_hub.joining.token_revocation import revoke_token
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_sandbox.plane import ControlPlane

SECONDS = timedelta(seconds=20)
CERTIFICATES = CERTIFICATE_SIGNING_REQUESTS.group

MakePerson = Callable[..., Awaitable[Client]]


@pytest_asyncio.fixture
async def person(hub_plane: ControlPlane, admin: Client) -> AsyncIterator[MakePerson]:
    """Make people who hold these rights and no others."""
    async with AsyncExitStack() as stack:

        async def make(rights: Sequence[Right], *, more: Sequence[Rule] = ()) -> Client:
            user = f"person-{secrets.token_hex(4)}"
            rules = [*(_rule(right) for right in rights), *more]
            await admin.apply(CLUSTER_ROLES, cluster_role(user, rules, labels={}))
            binding = cluster_role_binding(
                user, role=user, subjects=[user_subject(user)], labels={}
            )
            await admin.apply(CLUSTER_ROLE_BINDINGS, binding)
            client = await stack.enter_async_context(
                client_of(await hub_plane.kubeconfig_for(user))
            )

            async def granted() -> bool | None:
                try:
                    await check_rights(client, rights, to="to take part in this test")
                except MissingRightError:
                    return None  # RBAC reaches the authorizer a moment later
                return True

            await eventually(granted, what=f"the rights of {user}")
            return client

        yield make


def _rule(right: Right) -> Rule:
    resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
    return rule(right.group, [resource], [right.verb], only=[right.name] if right.name else [])


@pytest_asyncio.fixture
async def hub(run_hub: RunHub) -> AsyncIterator[None]:
    """A hub that leaves every decision to people."""
    async with run_hub(auto_approve_groups=()):
        yield


async def test_accepting_takes_the_rights_it_says_and_no_more(
    spoke: Spoke, hub: None, person: MakePerson, admin: Client
) -> None:
    """What is asked for first is what the server asks for later."""
    operator = await person(rights_to_accept(spoke.cluster, waits=True))
    await spoke.register()
    name = await spoke.ask()
    report = await accept_cluster(operator, spoke.cluster)
    assert [item.name for item in report.approved] == [name]
    await issued(admin, name)
    accepted = await wait_for_cluster(
        operator,
        spoke.cluster,
        until=lambda cluster: condition_is(cluster, HUB_ACCEPTED, "True"),
        limit=SECONDS,
    )
    assert accepted


async def test_waiting_ends_when_its_time_is_over(spoke: Spoke, hub: None, admin: Client) -> None:
    """A cluster whose agent never asks must not hold a script."""
    await spoke.register()
    seen: list[KubeObject | None] = []
    came = await wait_for_cluster(
        admin,
        spoke.cluster,
        until=lambda cluster: cluster is None,
        limit=timedelta(seconds=2),
        tell=seen.append,
    )
    assert not came
    assert seen
    assert seen[-1] is not None


async def test_waiting_without_the_right_to_look_says_so(
    spoke: Spoke, hub: None, person: MakePerson
) -> None:
    """Not after ten minutes."""
    await spoke.register()
    nobody = await person([])
    with pytest.raises(Forbidden):
        await wait_for_cluster(
            nobody, spoke.cluster, until=lambda cluster: cluster is None, limit=SECONDS
        )


@pytest.mark.parametrize("missing", range(7))
async def test_a_missing_right_is_named_before_anything_changes(
    missing: int, spoke: Spoke, hub: None, person: MakePerson, admin: Client
) -> None:
    """Half an acceptance is worse than none."""
    rights = rights_to_accept(spoke.cluster)
    assert len(rights) == 7
    operator = await person([right for i, right in enumerate(rights) if i != missing])
    with pytest.raises(MissingRightError) as refusal:
        await check_rights(operator, rights, to="to accept a cluster")
    assert str(refusal.value).count("cannot ") == 1
    assert str(rights[missing]) in str(refusal.value)


async def test_only_who_may_accept_can_turn_acceptance_on(
    spoke: Spoke, hub: None, person: MakePerson, admin: Client
) -> None:
    """The API server asks for the right by name, whoever runs which program."""
    change = [
        Right(verb, "managedclusters", group="cluster.open-cluster-management.io")
        for verb in ("get", "create", "patch", "update")
    ]
    on, off = {"spec": {"hubAcceptsClient": True}}, {"spec": {"hubAcceptsClient": False}}
    await spoke.register()

    def accept(name: str) -> Right:
        group = "register.open-cluster-management.io"
        return Right("update", "managedclusters", group=group, subresource="accept", name=name)

    editor = await person(change)
    other = await person([*change, accept(f"{spoke.cluster}-other")])
    owner = await person([*change, accept(spoke.cluster)])
    for client in (editor, other):
        with pytest.raises(Forbidden, match=r"managedclusters/accept|acceptance\.register"):
            await client.patch(MANAGED_CLUSTERS, spoke.cluster, on)
        with pytest.raises(Forbidden, match=r"managedclusters/accept|acceptance\.register"):
            await client.create(
                MANAGED_CLUSTERS, {"metadata": {"name": f"{spoke.cluster}-new"}, **on}
            )
    await owner.patch(MANAGED_CLUSTERS, spoke.cluster, on)
    # What is on stays on in anybody's hands, and turning it off takes no right of its own.
    await editor.patch(MANAGED_CLUSTERS, spoke.cluster, {"metadata": {"labels": {"a": "b"}}})
    await editor.patch(MANAGED_CLUSTERS, spoke.cluster, off)
    with pytest.raises(Forbidden):
        await editor.patch(MANAGED_CLUSTERS, spoke.cluster, on)


async def test_a_cluster_is_not_accepted_into_a_namespace_that_is_going(
    spoke: Spoke, hub: None, admin: Client
) -> None:
    """What it would be granted there would go with the namespace."""
    held = {
        "metadata": {"name": spoke.cluster},
        "spec": {"finalizers": ["kubernetes", "example.com/hold"]},
    }
    await admin.create(NAMESPACES, held)
    await admin.delete(NAMESPACES, spoke.cluster)
    await spoke.register()
    with pytest.raises(AcceptError, match="is being deleted"):
        await accept_cluster(admin, spoke.cluster)
    cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
    assert cluster["spec"]["hubAcceptsClient"] is False
    namespace = await admin.get(NAMESPACES, spoke.cluster)
    namespace["spec"]["finalizers"] = []
    await admin.replace(NAMESPACES, namespace, subresource="finalize")


async def test_denying_takes_acceptance_back_and_denies_what_waits(
    spoke: Spoke, hub: None, person: MakePerson, admin: Client
) -> None:
    """One command, with a reason that stands wherever somebody will look."""
    operator = await person(rights_to_deny(spoke.cluster))
    await spoke.register()
    await accept_cluster(admin, spoke.cluster)
    await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
    name = await spoke.ask()
    spoke.key = generate_key()
    other = await spoke.ask(signer="example.com/not-the-operators")
    report = await deny_cluster(operator, spoke.cluster, reason="sold to somebody")
    # Whoever asks could name any signer, and hold up the denial by it.
    assert (report.was_accepted, report.denied, report.left) == (True, (name,), (other,))
    kind, reason, message = await decision(admin, name)
    # The hub denies what was asked before the denial, too, and may be faster.
    assert kind == "Denied"
    assert reason != "DeniedByOperator" or "sold to somebody" in message
    cluster = await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "False")
    assert annotations_of(cluster)[names.DENIAL_REASON_ANNOTATION] == "sold to somebody"
    again = await deny_cluster(operator, spoke.cluster, reason="sold to somebody")
    assert (again.was_accepted, again.denied, again.left) == (False, (), (other,))
    await accept_cluster(admin, spoke.cluster)
    cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
    assert names.DENIAL_REASON_ANNOTATION not in annotations_of(cluster)


async def test_a_cluster_that_was_denied_first_is_not_let_in_by_a_setting(
    spoke: Spoke, run_hub: RunHub, admin: Client
) -> None:
    """The person's word is older than the request, and stronger than the group."""
    async with run_hub():
        await spoke.register()
        await deny_cluster(admin, spoke.cluster)
        name = await spoke.ask()

        async def looked_at() -> KubeObject | None:
            cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
            assert cluster["spec"]["hubAcceptsClient"] is False
            events = await admin.list(
                EVENTS, namespace="default", field_selector=f"regarding.name={name}"
            )
            return events.items[0] if events.items else None

        event = await eventually(looked_at, what="what the hub says of the request")
        assert event["reason"] == "WaitingForOperator"
        csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        assert not csr.get("status", {}).get("conditions")


async def test_denying_what_is_not_there_says_so(spoke: Spoke, hub: None, admin: Client) -> None:
    """A typo must not look like success; a request in the name of nobody can be denied."""
    with pytest.raises(DenyError, match="there is no managed cluster"):
        await deny_cluster(admin, spoke.cluster)
    name = await spoke.ask()
    report = await deny_cluster(admin, spoke.cluster)
    assert (report.was_accepted, report.denied) == (None, (name,))


async def test_removing_says_what_it_waits_for_and_ends_when_it_is_gone(
    spoke: Spoke, run_hub: RunHub, person: MakePerson, admin: Client
) -> None:
    """Someone sits before it; what holds the cluster is named while it does."""
    operator = await person(rights_to_remove(spoke.cluster, waits=True))
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        await admin.patch(
            MANAGED_CLUSTERS, spoke.cluster, {"metadata": {"finalizers": ["example.com/hold"]}}
        )
        told: list[str] = []
        waited = await remove_cluster(
            operator, spoke.cluster, limit=timedelta(seconds=2), tell=told.append
        )
        assert not waited.gone
        assert "example.com/hold" in (waited.waits_for or "")
        assert told == [waited.waits_for]
        looked = asyncio.Event()
        beside = asyncio.create_task(
            remove_cluster(operator, spoke.cluster, limit=SECONDS, tell=lambda _: looked.set())
        )
        await looked.wait()
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"metadata": {"finalizers": []}})
        report = await beside
        assert report.gone
        with pytest.raises(RemoveError, match="there is no managed cluster"):
            await remove_cluster(operator, spoke.cluster)


async def test_removing_an_accepted_cluster_goes_through(
    spoke: Spoke, hub: None, admin: Client
) -> None:
    """With the hub's own finalizer in the way, which the hub takes off."""
    await spoke.register()
    await accept_cluster(admin, spoke.cluster)
    await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
    at_once = await remove_cluster(admin, spoke.cluster)
    assert at_once.gone or at_once.waits_for
    if not at_once.gone:
        report = await _removed(admin, spoke.cluster)
        assert report


async def _removed(admin: Client, cluster: str) -> bool:
    async def gone() -> bool | None:
        return True if await admin.find(MANAGED_CLUSTERS, cluster) is None else None

    return await eventually(gone, what=f"the end of cluster {cluster}")


async def test_approving_takes_the_rights_it_says_and_no_more(
    spoke: Spoke, hub: None, person: MakePerson, admin: Client
) -> None:
    """A second agent of an accepted cluster waits for a person, who approves that one request."""
    look = [
        Right("get", "certificatesigningrequests", group="certificates.k8s.io"),
        Right("get", "managedclusters", group="cluster.open-cluster-management.io"),
    ]
    operator = await person([*rights_to_approve(names.KUBE_CLIENT_SIGNER), *look])
    await spoke.register()
    first = await spoke.ask()
    with pytest.raises(ApproveError, match=r"towline accept .* --request"):
        await approve_request(operator, first)
    await accept_cluster(admin, spoke.cluster, request=first)
    await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
    second = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
    name = await second.ask()
    report = await approve_request(operator, name)
    assert (report.newly_approved, report.cluster) == (True, spoke.cluster)
    await issued(admin, name)
    assert not (await approve_request(operator, name)).newly_approved


async def test_who_may_not_approve_is_told_everything_it_takes_in_one_line(
    spoke: Spoke, hub: None, person: MakePerson, admin: Client
) -> None:
    """Also what looking takes: else an administrator would be asked for one right after another."""
    await spoke.register()
    name = await spoke.ask()
    looker = await person([Right("get", "certificatesigningrequests", group=CERTIFICATES)])
    nobody = await person([])
    for who, unknown, count in ((looker, False, 3), (nobody, True, 3)):
        with pytest.raises(MissingRightError) as refusal:
            await approve_request(who, name)
        said = str(refusal.value)
        assert "\n" not in said
        assert said.count("cannot ") == count
        assert 'update resource "certificatesigningrequests/approval"' in said
        assert 'get resource "managedclusters"' in said
        assert ('get resource "certificatesigningrequests"' in said) is unknown
        assert (f"approve resource \"signers\" '{names.KUBE_CLIENT_SIGNER}'" in said) is not unknown
    obj = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
    obj["metadata"]["labels"][names.ADDON_NAME_LABEL] = "hello"
    addons = Right(
        "get",
        "managedclusteraddons",
        group="addon.open-cluster-management.io",
        name="hello",
        namespace=spoke.cluster,
    )
    assert addons in rights_to_approve_request(name, SigningRequest.from_csr(obj))


async def test_an_addons_request_by_a_stranger_is_approved_on_a_persons_word(
    spoke: Spoke, hub: None, person: MakePerson, admin: Client
) -> None:
    """The add-on has to be registered for exactly this; who may ask is what the person answers."""
    look = [
        Right("get", "certificatesigningrequests", group="certificates.k8s.io"),
        Right("get", "managedclusters", group="cluster.open-cluster-management.io"),
        Right("get", "managedclusteraddons", group="addon.open-cluster-management.io"),
    ]
    operator = await person([*rights_to_approve(names.KUBE_CLIENT_SIGNER), *look])
    await spoke.register()
    first = await spoke.ask()
    await accept_cluster(admin, spoke.cluster, request=first)
    await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
    addon = f"addon-{spoke.cluster}"
    early = await spoke.ask_for_addon(addon, client=admin, key=generate_key())
    with pytest.raises(ApproveError, match="AddonNotFound"):
        await approve_request(operator, early)
    await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": addon}, "spec": {}})
    enabled = {"metadata": {"name": addon, "namespace": spoke.cluster}, "spec": {}}
    await admin.create(MANAGED_CLUSTER_ADDONS, enabled)
    await until_condition(
        admin,
        MANAGED_CLUSTER_ADDONS,
        addon,
        REGISTRATION_APPLIED,
        "True",
        namespace=spoke.cluster,
    )
    name = await spoke.ask_for_addon(addon, client=admin, key=generate_key())
    report = await approve_request(operator, name)
    assert (report.newly_approved, report.addon) == (True, addon)
    await issued(admin, name)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"subject": Subject("root", frozenset({"admins"}))}, id="a-person"),
        pytest.param({"usages": ["client auth", "server auth"]}, id="another-usage"),
        pytest.param({"dns_names": ["hub.example"]}, id="a-name"),
    ],
)
async def test_a_hostile_request_is_not_approved_by_anybody(
    changes: dict[str, Any], spoke: Spoke, run_hub: RunHub, admin: Client
) -> None:
    """With no hub there to deny it first, the whole policy stands behind the command."""
    async with run_hub(auto_approve_groups=()):
        pass  # what it leaves in place is what this needs
    await spoke.register()
    name = await spoke.ask(**changes)
    await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": True}})
    with pytest.raises(ApproveError, match="is hostile or broken"):
        await approve_request(admin, name)
    csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
    assert not csr.get("status", {}).get("conditions")
    with pytest.raises(ApproveError, match="there is no certificate request"):
        await approve_request(admin, f"{name}x")


async def test_tokens_take_the_rights_they_say_and_no_more(
    hub: None, person: MakePerson, cluster_name: str
) -> None:
    """Kubernetes lets nobody hand out what they do not hold, so making a bound one takes that."""
    free = await person(rights_to_create(None))
    await create_token(free, ttl=SECONDS)
    poor = await person(rights_to_create(cluster_name))
    with pytest.raises(Forbidden):
        await create_token(poor, ttl=SECONDS, cluster=cluster_name)
    rich = await person(rights_to_create(cluster_name), more=bound_rules(cluster_name))
    new = await create_token(rich, ttl=timedelta(hours=1), cluster=cluster_name)
    looker = await person(rights_to_list())
    assert new.token.token_id in {token.token_id for token in await list_tokens(looker)}
    revoker = await person(rights_to_revoke())
    done = await revoke_token(revoker, new.token.token_id)
    assert (done.found, done.unbound) == (True, (cluster_name,))
