"""Bootstrap tokens: good for joining, for one cluster if bound, and for nothing else."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from integration.hub.conftest import RunHub
from integration.hub.spoke import Spoke, decision, eventually, issued, until_condition
from towline_api import names
from towline_api.bootstrap_tokens import TOKEN_NAMESPACE, BootstrapToken, token_secret_name
from towline_api.condition_types import HUB_ACCEPTED
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    EVENTS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    SECRETS,
    KubeObject,
)
from towline_hub.joining.bootstrap_tokens import NewToken, create_token
from towline_hub.joining.bound_bootstrap import bound_rbac, rights_expire
from towline_hub.joining.listed_tokens import list_tokens
from towline_hub.joining.token_revocation import revoke_token
from towline_hub.joining.token_rights import TokenError
from towline_kube.client import Client
from towline_kube.errors import Forbidden, Unauthorized
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

HOUR = timedelta(hours=1)

As = Callable[[NewToken], AbstractAsyncContextManager[Client]]


@pytest.fixture
def holder(hub_plane: ControlPlane) -> As:
    """Speak to the hub as the holder of a token."""

    @asynccontextmanager
    async def speak(new: NewToken) -> AsyncIterator[Client]:
        connection = replace(
            parse_kubeconfig(hub_plane.admin_kubeconfig(), source="test"),
            client_certificate_pem=None,
            client_key_pem=None,
            token=new.token.bearer,
        )
        async with Client(connection, field_manager="test-holder") as client:
            await eventually(lambda: _knows(client), what="the token to be known")
            yield client

    return speak


async def _knows(client: Client) -> bool | None:
    """Return whether the API server knows the token: it learns of a new one a moment later."""
    try:
        await client.whoami()
    except Unauthorized:
        return None
    return True


@pytest_asyncio.fixture
async def set_up(run_hub: RunHub) -> None:
    """What a hub leaves in place when it stops: kinds, policies, grants."""
    async with run_hub(auto_approve_groups=()):
        pass


@pytest_asyncio.fixture
async def hub_without_rules(run_hub: RunHub) -> AsyncIterator[None]:
    """A hub whose settings let nobody in by themselves."""
    async with run_hub(auto_approve_groups=()):
        yield


async def test_a_bound_token_brings_its_cluster_in_without_a_person_and_without_a_setting(
    hub_plane: ControlPlane, admin: Client, hub_without_rules: None, holder: As, cluster_name: str
) -> None:
    """An operator made the token for that very name; nothing is left to ask."""
    new = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    async with holder(new) as bootstrap:
        spoke = Spoke(hub_plane, cluster_name, bootstrap)
        await spoke.register()
        name = await spoke.ask()
        kind, _, message = await decision(admin, name)
        assert kind == "Approved", message
        certificate = await issued(admin, name)
        await until_condition(admin, MANAGED_CLUSTERS, cluster_name, HUB_ACCEPTED, "True")
        # What its agent goes by until its own rights are there.
        await bootstrap.get(MANAGED_CLUSTERS, cluster_name)
        await bootstrap.list(MANAGED_CLUSTERS, field_selector=f"metadata.name={cluster_name}")
    async with Client(spoke.connection(certificate), field_manager="test") as agent:
        assert (await agent.whoami()).username == spoke.identity.user


async def test_a_bound_token_is_worth_nothing_beyond_its_cluster(
    hub_plane: ControlPlane, admin: Client, hub_without_rules: None, holder: As, cluster_name: str
) -> None:
    """Whoever finds it may take one name, which its owner sees, and look at nothing."""
    new = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    other = f"{cluster_name}-other"
    await admin.create(MANAGED_CLUSTERS, {"metadata": {"name": other}, "spec": {}})
    async with holder(new) as bootstrap:
        me = await bootstrap.whoami()
        assert set(me.groups) == {
            "system:bootstrappers",
            f"system:bootstrappers:managedcluster:{cluster_name}",
            "system:authenticated",
        }
        own = Spoke(hub_plane, cluster_name, bootstrap)
        thief = Spoke(hub_plane, other, bootstrap)
        with pytest.raises(Forbidden, match=r"bound-clusters.*is for its own cluster"):
            await Spoke(hub_plane, f"{cluster_name}x", bootstrap).register()
        with pytest.raises(Forbidden, match=r"bound-clusters.*is for its own cluster"):
            await bootstrap.create(
                MANAGED_CLUSTERS, {"metadata": {"generateName": cluster_name}, "spec": {}}
            )
        with pytest.raises(Forbidden, match=r"setting spec\.hubAcceptsClient"):
            await bootstrap.create(
                MANAGED_CLUSTERS,
                {"metadata": {"name": cluster_name}, "spec": {"hubAcceptsClient": True}},
            )
        with pytest.raises(Forbidden, match=r"bound-requests.*is for its own cluster"):
            await thief.ask()
        with pytest.raises(Forbidden, match=r"bound-requests.*is for its own cluster"):
            await own.ask(labels={})
        with pytest.raises(Forbidden, match=r"bound-requests.*is for its own cluster"):
            await own.ask(signer="example.com/signer")
        await own.register()
        lying = await own.ask(subject=thief.identity.subject)
        assert (await decision(admin, lying))[0] == "Denied"
        for call in (
            bootstrap.list(MANAGED_CLUSTERS),
            bootstrap.get(MANAGED_CLUSTERS, other),
            bootstrap.patch(MANAGED_CLUSTERS, cluster_name, {"spec": {"hubAcceptsClient": True}}),
            bootstrap.delete(MANAGED_CLUSTERS, cluster_name),
            bootstrap.list(SECRETS, namespace=TOKEN_NAMESPACE),
            bootstrap.list(CONFIG_MAPS, namespace=cluster_name),
            bootstrap.list(NAMESPACES),
            bootstrap.list(CLUSTER_ROLES),
            bootstrap.delete(CERTIFICATE_SIGNING_REQUESTS, lying),
        ):
            with pytest.raises(Forbidden):
                await call


async def test_a_token_for_any_cluster_waits_for_a_person_and_is_bound_to_nothing(
    hub_plane: ControlPlane, admin: Client, hub_without_rules: None, holder: As, cluster_name: str
) -> None:
    """The guard of bound tokens must not be in the way of the others."""
    new = await create_token(admin, ttl=HOUR)
    async with holder(new) as bootstrap:
        assert names.BOOTSTRAP_GROUP in (await bootstrap.whoami()).groups
        spoke = Spoke(hub_plane, cluster_name, bootstrap)
        await spoke.register()
        name = await spoke.ask()
        csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        assert not csr.get("status", {}).get("conditions")


async def test_a_bound_token_takes_its_name_again_unless_the_operator_denied_it(
    hub_plane: ControlPlane, admin: Client, hub_without_rules: None, holder: As, cluster_name: str
) -> None:
    """A machine that was set up anew comes back with a new token; one that was put out does not."""
    new = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    async with holder(new) as bootstrap:
        first = Spoke(hub_plane, cluster_name, bootstrap)
        await first.register()
        await issued(admin, await first.ask())
        second = Spoke(hub_plane, cluster_name, bootstrap, agent="agent2")
        await issued(admin, await second.ask())
        await until_condition(admin, MANAGED_CLUSTERS, cluster_name, HUB_ACCEPTED, "True")
        await admin.patch(MANAGED_CLUSTERS, cluster_name, {"spec": {"hubAcceptsClient": False}})
        await until_condition(admin, MANAGED_CLUSTERS, cluster_name, HUB_ACCEPTED, "False")
        third = Spoke(hub_plane, cluster_name, bootstrap, agent="agent3")
        name = await third.ask()

        async def told() -> bool | None:
            found = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
            assert "certificate" not in found.get("status", {})
            conditions = found.get("status", {}).get("conditions") or []
            assert all(item["type"] != "Approved" for item in conditions)
            events = await admin.list(
                EVENTS, namespace="default", field_selector=f"regarding.name={name}"
            )
            return True if events.items or conditions else None

        await eventually(told, what="what the hub says of the denied cluster's request")


async def test_what_is_listed_never_holds_what_nobody_should_see(
    admin: Client, set_up: None, cluster_name: str
) -> None:
    """Lists are pasted into tickets."""
    bound = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    free = await create_token(admin, ttl=HOUR)
    other = BootstrapToken.create()
    stranger = other.as_secret(groups=("system:bootstrappers:other",), expires=bound.expires)
    await admin.create(SECRETS, stranger)
    listed = {token.token_id: token for token in await list_tokens(admin)}
    assert listed[bound.token.token_id].cluster == cluster_name
    assert listed[bound.token.token_id].expires == bound.expires
    assert listed[free.token.token_id].cluster is None
    assert other.token_id not in listed
    for new in (bound, free):
        assert new.token.secret not in repr(listed)
        assert new.token.secret not in repr(new)


async def test_the_secret_is_what_kubernetes_wants_and_no_more(
    admin: Client, set_up: None, cluster_name: str
) -> None:
    """One usage: a token that may sign could change what the cluster tells newcomers."""
    new = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    secret = await admin.get(
        SECRETS, token_secret_name(new.token.token_id), namespace=TOKEN_NAMESPACE
    )
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert secret["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "towline",
        "towline.open-cluster-management.io/bootstrap-cluster": cluster_name,
    }
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert data == {
        "description": f"towline: cluster {cluster_name} may join",
        "token-id": new.token.token_id,
        "token-secret": new.token.secret,
        "expiration": f"{new.expires:%Y-%m-%dT%H:%M:%SZ}",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": f"system:bootstrappers:managedcluster:{cluster_name}",
    }


async def test_revoking_ends_the_token_and_with_the_last_one_its_rights(
    hub_plane: ControlPlane, admin: Client, hub_without_rules: None, holder: As, cluster_name: str
) -> None:
    """Two tokens of a cluster share what they may do; it goes with the second."""
    first = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    second = await create_token(admin, ttl=2 * HOUR, cluster=cluster_name)
    assert await _rights(admin, cluster_name) == {second.expires}
    async with holder(first) as client, holder(second) as kept:
        spoke = Spoke(hub_plane, cluster_name, client)
        await spoke.register()
        request = await spoke.ask()
        await issued(admin, request)
        done = await revoke_token(admin, first.token.token_id)
        assert (done.found, done.unbound, done.pending) == (True, (), ())
        assert done.clusters == (cluster_name,)
        with pytest.raises(Unauthorized):
            await _until_refused(client)
        await kept.get(MANAGED_CLUSTERS, cluster_name)
        done = await revoke_token(admin, second.token.token_id)
        assert done.unbound == (cluster_name,)
        assert await _rights(admin, cluster_name) == set()
        again = await revoke_token(admin, second.token.token_id)
        assert (again.found, again.unbound) == (False, ())


async def test_revoking_takes_what_a_killed_command_left(
    admin: Client, set_up: None, cluster_name: str
) -> None:
    """The rights come before the token, so a crash between the two leaves the rights alone."""
    new = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    await admin.delete(SECRETS, token_secret_name(new.token.token_id), namespace=TOKEN_NAMESPACE)
    done = await revoke_token(admin, new.token.token_id)
    assert (done.found, done.unbound) == (False, (cluster_name,))
    assert await _rights(admin, cluster_name) == set()


@pytest.mark.parametrize("token_id", ["", "abcde", "ABCDEF", "abcdef.0123456789abcdef", "abcdef "])
async def test_a_token_is_revoked_by_its_exact_id(admin: Client, token_id: str) -> None:
    """A prefix could be another's, and a whole token does not belong into a message."""
    with pytest.raises(TokenError, match="by its id") as refusal:
        await revoke_token(admin, token_id)
    assert "0123456789abcdef" not in str(refusal.value)


async def test_somebody_elses_token_is_not_revoked(admin: Client) -> None:
    """Nodes join Kubernetes with tokens too."""
    token = BootstrapToken.create()
    await admin.create(
        SECRETS,
        token.as_secret(
            groups=("system:bootstrappers:kubeadm:default-node-token",),
            expires=(await create_token(admin, ttl=HOUR)).expires,
        ),
    )
    with pytest.raises(TokenError, match="not for joining clusters"):
        await revoke_token(admin, token.token_id)
    await admin.get(SECRETS, token_secret_name(token.token_id), namespace=TOKEN_NAMESPACE)


async def test_the_hub_ends_the_rights_of_tokens_that_have_ended(
    admin: Client, set_up: None, run_hub: RunHub, cluster_name: str
) -> None:
    """Kubernetes deletes the token; nothing but the hub knows of the rights beside it."""
    lasting = f"{cluster_name}-lasting"
    await create_token(admin, ttl=timedelta(seconds=2), cluster=cluster_name)
    await create_token(admin, ttl=HOUR, cluster=lasting)
    before = await _rights(admin, cluster_name)
    assert len(before) == 1
    async with run_hub() as hub:

        async def ended() -> bool | None:
            return None if await _rights(admin, cluster_name) else True

        async def deleted() -> list[tuple[str, str]] | None:
            found = [write for write in hub.writes() if write[0] == "delete"]
            return found if len(found) >= 2 else None

        await eventually(ended, what="the end of the rights of expired tokens")
        # A call counts once it is answered, which is a moment after it has had its effect.
        assert await eventually(deleted, what="the hub's own account of it") == [
            ("delete", "clusterrolebindings.rbac.authorization.k8s.io"),
            ("delete", "clusterroles.rbac.authorization.k8s.io"),
        ]
        assert await _rights(admin, lasting)


async def test_removing_a_cluster_takes_what_its_tokens_could_do(
    hub_plane: ControlPlane, admin: Client, hub_without_rules: None, holder: As, cluster_name: str
) -> None:
    """Otherwise whoever holds one would be back a second later, without a new acceptance."""
    new = await create_token(admin, ttl=HOUR, cluster=cluster_name)
    async with holder(new) as bootstrap:
        spoke = Spoke(hub_plane, cluster_name, bootstrap)
        await spoke.register()
        await issued(admin, await spoke.ask())
        await until_condition(admin, MANAGED_CLUSTERS, cluster_name, HUB_ACCEPTED, "True")
        await admin.delete(MANAGED_CLUSTERS, cluster_name)

        async def taken() -> bool | None:
            return None if await _rights(admin, cluster_name) else True

        await eventually(taken, what="the end of the rights of the removed cluster's tokens")
        with pytest.raises(Forbidden):
            await spoke.register()


async def test_a_token_is_not_made_for_a_cluster_that_is_leaving(
    admin: Client, set_up: None, cluster_name: str
) -> None:
    """Its rights would go with the cluster, and nobody would know why."""
    await admin.create(
        MANAGED_CLUSTERS,
        {"metadata": {"name": cluster_name, "finalizers": ["example.com/hold"]}, "spec": {}},
    )
    await admin.delete(MANAGED_CLUSTERS, cluster_name)
    with pytest.raises(TokenError, match="is being deleted"):
        await create_token(admin, ttl=HOUR, cluster=cluster_name)
    await admin.patch(MANAGED_CLUSTERS, cluster_name, {"metadata": {"finalizers": []}})
    assert await _rights(admin, cluster_name) == set()


@pytest.mark.parametrize("name", ["kube-system", "open-cluster-management-hub", "default"])
async def test_a_token_is_not_made_for_a_name_no_cluster_may_have(admin: Client, name: str) -> None:
    """Said now, to the operator, not later, to the cluster."""
    with pytest.raises(TokenError, match="cannot be named"):
        await create_token(admin, ttl=HOUR, cluster=name)


async def test_a_token_made_anew_renews_the_rights(
    admin: Client, set_up: None, cluster_name: str
) -> None:
    """Rights last as long as the longest-lived token, whatever order tokens are made in."""
    long = await create_token(admin, ttl=3 * HOUR, cluster=cluster_name)
    await create_token(admin, ttl=HOUR, cluster=cluster_name)
    assert await _rights(admin, cluster_name) == {long.expires}
    for resource, body in bound_rbac(cluster_name, expires=long.expires):
        spoiled: KubeObject = {"rules": []} if resource == CLUSTER_ROLES else {"subjects": []}
        await admin.patch(resource, body["metadata"]["name"], spoiled)
    await create_token(admin, ttl=HOUR, cluster=cluster_name)
    for resource, body in bound_rbac(cluster_name, expires=long.expires):
        live = await admin.get(resource, body["metadata"]["name"])
        for field in ("rules", "subjects", "roleRef"):
            assert live.get(field) == body.get(field)


async def _rights(admin: Client, cluster: str) -> set[Any]:
    """Return when the rights of a cluster's bound tokens end; empty if there are none."""
    found = set()
    for resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS):
        live = await admin.find(resource, names.bound_bootstrap_role(cluster))
        if live is not None:
            found.add(rights_expire(live))
    return found


async def _until_refused(client: Client) -> None:
    """Ask as the holder of a revoked token until the API server has heard of it."""

    async def refused() -> None:
        await client.whoami()

    await eventually(refused, what="the refusal of a revoked token")
