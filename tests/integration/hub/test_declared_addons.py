"""Add-ons with declared rights: what their agents may do, and that nobody else's may."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from integration.hub.conftest import HUB_USER, RunHub, RunningHub
from integration.hub.declared import (
    Installed,
    apply_rights,
    in_settings,
    make_namespace,
    message_of,
    remove_rights,
)
from integration.hub.spoke import Spoke, eventually, join
from towline_api import names
from towline_api.addons import ConfigKind, HealthMode, SupportedConfig
from towline_api.condition_types import REGISTRATION_APPLIED
from towline_api.metadata import ObjectKey, annotations_of
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_certs import addon_group
from towline_hub import permission
from towline_hub.addons.addon_rbac import config_reader_role
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.permissions import hub_permissions
from towline_kube.client import Client
from towline_kube.errors import Forbidden

GRANTED = REGISTRATION_APPLIED, "True", "SetPermissionApplied"


@pytest.fixture
def name() -> str:
    """An add-on's name that no other test uses."""
    return f"addon-{secrets.token_hex(4)}"


@pytest_asyncio.fixture
async def shared(admin: Client, name: str) -> str:
    """A namespace that the agents of all clusters share."""
    return await make_namespace(admin, f"shared-{name}")


@pytest_asyncio.fixture
async def rights(admin: Client) -> AsyncIterator["Rights"]:
    """Give the hub under test what declarations hand out, and take it away at the end."""
    given = Rights(admin)
    yield given
    await given.take_away()


class Rights:
    """What the hub under test holds because of declarations."""

    def __init__(self, admin: Client) -> None:
        self._admin = admin
        self._given: list[KubeObject] = []

    async def give(self, *declarations: AddonDeclaration) -> None:
        """Apply what `hub_permissions` makes of declarations, beside the hub's own role."""
        made = hub_permissions(user_subject(HUB_USER), declarations=declarations)
        extra = made[2:]  # the first two are the role that every hub has, and its binding
        await apply_rights(self._admin, extra)
        self._given += extra

    async def take_away(self) -> None:
        """Remove them again."""
        await remove_rights(self._admin, self._given)
        self._given = []


def three_forms(name: str, *, shared: str) -> AddonDeclaration:
    """Return an add-on with a permission of each form."""
    return AddonDeclaration(
        name,
        permissions=(
            permission.role("leases", group="coordination.k8s.io", verbs=["get", "list", "create"]),
            permission.role("secrets", verbs=["get"], names=[f"of-{name}"]),
            permission.role(
                "configmaps", verbs=["get", "list"], namespace=shared, names=[f"of-{name}"]
            ),
        ),
        token_driver=True,
    )


def body(resource: Resource, name: str, namespace: str) -> KubeObject:
    """Return the least object of a kind."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace},
    }


@pytest.mark.parametrize("driver", ["csr", "token"])
async def test_one_identity_opens_what_is_its_own_and_nothing_of_others(
    spoke: Spoke,
    other_spoke: Spoke,
    admin: Client,
    run_hub: RunHub,
    rights: Rights,
    name: str,
    shared: str,
    driver: str,
) -> None:
    """Cluster A's agent on B's objects, add-on X's agent on Y's: refused, in all three forms."""
    x, y = three_forms(f"{name}-x", shared=shared), three_forms(f"{name}-y", shared=shared)
    await rights.give(x, y)
    async with (
        run_hub(declarations=in_settings(x, y)),
        await join(spoke, admin) as agent,
        await join(other_spoke, admin) as other_agent,
    ):
        here = await Installed(admin, spoke, agent, x.name).install()
        for other in (
            Installed(admin, spoke, agent, y.name),
            Installed(admin, other_spoke, other_agent, x.name),
        ):
            await other.install()
            await other.until(*GRANTED)
        await here.until(*GRANTED)
        mine, other_cluster = spoke.cluster, other_spoke.cluster
        for addon in (x, y):
            await admin.create(CONFIG_MAPS, body(CONFIG_MAPS, f"of-{addon.name}", shared))
            for cluster in (mine, other_cluster):
                await admin.create(SECRETS, body(SECRETS, f"of-{addon.name}", cluster))
        async with here.by_certificate() if driver == "csr" else here.by_token() as client:
            # Its own.
            await client.create(LEASES, body(LEASES, x.name, mine))
            await client.get(SECRETS, f"of-{x.name}", namespace=mine)
            await client.get(CONFIG_MAPS, f"of-{x.name}", namespace=shared)
            own = await client.get(MANAGED_CLUSTER_ADDONS, x.name, namespace=mine)
            # Saying how it fares is its own as well; who it is stays the hub's to say.
            forged: dict[str, Any] = {"namespace": "kube-system"}
            if driver == "csr":  # with tokens the subject is the cluster's agent's to write
                forged["registrations"] = []
            told = await client.patch_status(
                MANAGED_CLUSTER_ADDONS, own, {**own["status"], **forged}
            )
            assert told["status"]["namespace"] == "kube-system"
            await here.until_status(**{field: own["status"][field] for field in forged})
            with pytest.raises(Forbidden):
                await client.patch(MANAGED_CLUSTER_ADDONS, x.name, {"spec": {}}, namespace=mine)
            for where, name in ((mine, y.name), (other_cluster, x.name)):
                theirs = await admin.get(MANAGED_CLUSTER_ADDONS, name, namespace=where)
                with pytest.raises(Forbidden):
                    await client.patch_status(
                        MANAGED_CLUSTER_ADDONS, theirs, {**theirs["status"], "conditions": []}
                    )
            # The other cluster's, the same add-on.
            with pytest.raises(Forbidden):
                await client.create(LEASES, body(LEASES, x.name, other_cluster))
            with pytest.raises(Forbidden):
                await client.get(SECRETS, f"of-{x.name}", namespace=other_cluster)
            with pytest.raises(Forbidden):
                await client.get(MANAGED_CLUSTER_ADDONS, x.name, namespace=other_cluster)
            # The other add-on's, on the same cluster.
            with pytest.raises(Forbidden):
                await client.get(SECRETS, f"of-{y.name}", namespace=mine)
            with pytest.raises(Forbidden):
                await client.get(CONFIG_MAPS, f"of-{y.name}", namespace=shared)
            with pytest.raises(Forbidden):
                await client.get(MANAGED_CLUSTER_ADDONS, y.name, namespace=mine)
            # What nobody has.
            for verb in (client.list(SECRETS, namespace=mine), client.list(MANAGED_CLUSTERS)):
                with pytest.raises(Forbidden):
                    await verb
            with pytest.raises(Forbidden):
                await client.delete(LEASES, x.name, namespace=mine)
        await _nobody_at_large(admin, shared, mine, other_cluster)


async def _nobody_at_large(admin: Client, *namespaces: str) -> None:
    """Check that no binding names the fleet-wide group of an add-on, or everybody."""
    for namespace in namespaces:
        for binding in (await admin.list(ROLE_BINDINGS, namespace=namespace)).items:
            for subject in binding.get("subjects") or []:
                assert not subject["name"].startswith(addon_group(""))
                assert subject["name"] not in ("system:authenticated", "system:unauthenticated")


async def test_a_declaration_makes_its_definition_and_its_registrations(
    spoke: Spoke, admin: Client, run_hub: RunHub, rights: Rights, name: str
) -> None:
    """All an operator has to make is the ManagedClusterAddOn."""
    declaration = AddonDeclaration(
        name,
        display_name="Hello World",
        description="Says so.",
        agent="speaker",
        custom_signers=(
            CustomSigner("example.com/hello", "hello-{cluster}", ("speakers",), ("of-{cluster}",)),
        ),
        supported_configs=(SupportedConfig(ConfigKind("", "configmaps")),),
        install_namespace="speakers",
        health_mode=HealthMode.CUSTOMIZED,
    )
    await rights.give(declaration)
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, name).install()
        status = (await here.until(*GRANTED))["status"]
        definition = await admin.get(CLUSTER_MANAGEMENT_ADDONS, name)
        assert definition["spec"]["addOnMeta"] == {
            "displayName": "Hello World",
            "description": "Says so.",
        }
        assert names.SERVED_BY_ANNOTATION not in definition["metadata"].get("annotations", {})
        identity = f"system:open-cluster-management:cluster:{spoke.cluster}:addon:{name}"
        assert status["registrations"] == [
            {
                "signerName": names.KUBE_CLIENT_SIGNER,
                "subject": {
                    "user": f"{identity}:agent:speaker",
                    "groups": [identity, addon_group(name)],
                },
            },
            {
                "signerName": "example.com/hello",
                "subject": {
                    "user": f"hello-{spoke.cluster}",
                    "groups": ["speakers"],
                    "organizationUnit": [f"of-{spoke.cluster}"],
                },
            },
        ]
        assert status["namespace"] == "speakers"
        assert status["healthCheck"] == {"mode": "Customized"}
        assert [item["resource"] for item in status["supportedConfigs"]] == ["configmaps"]
        # What an operator adds to the definition is his; what is declared comes back.
        await admin.patch(
            CLUSTER_MANAGEMENT_ADDONS,
            name,
            {
                "metadata": {"labels": {"team": "a"}},
                "spec": {"addOnMeta": {"displayName": "Other"}},
            },
        )

        async def put_right() -> bool | None:
            now = await admin.get(CLUSTER_MANAGEMENT_ADDONS, name)
            return True if now["spec"]["addOnMeta"]["displayName"] == "Hello World" else None

        await eventually(put_right, what="the declared name")
        definition = await admin.get(CLUSTER_MANAGEMENT_ADDONS, name)
        assert definition["metadata"]["labels"] == {"team": "a"}


async def test_what_is_declared_no_more_is_registered_no_more(
    spoke: Spoke, admin: Client, run_hub: RunHub, rights: Rights, name: str
) -> None:
    """Its agent would ask for that certificate for ever. What others registered stays theirs."""
    former, kept = CustomSigner("example.com/former"), CustomSigner("example.com/kept")
    declaration = AddonDeclaration(name, custom_signers=(former, kept))
    fewer = AddonDeclaration(name, custom_signers=(kept,))
    foreign = {"signerName": "example.com/foreign", "subject": {"user": "somebody"}}
    await rights.give(declaration)

    async def registered() -> list[str]:
        addon = await admin.get(MANAGED_CLUSTER_ADDONS, name, namespace=spoke.cluster)
        found = (addon.get("status") or {}).get("registrations") or []
        return sorted(item["signerName"] for item in found)

    async def until(signers: list[str], *, note: str | None) -> None:
        wanted = sorted([names.KUBE_CLIENT_SIGNER, *signers])

        async def so() -> bool | None:
            addon = await admin.get(MANAGED_CLUSTER_ADDONS, name, namespace=spoke.cluster)
            told = annotations_of(addon).get(names.DECLARED_SIGNERS_ANNOTATION)
            return True if (await registered(), told) == (wanted, note) else None

        await eventually(so, what=f"registrations with {wanted} alone")

    async with (
        run_hub(declarations=in_settings(declaration)),
        await join(spoke, admin) as agent,
    ):
        await Installed(admin, spoke, agent, name).install()
        both = "example.com/former,example.com/kept"
        await until(["example.com/former", "example.com/kept"], note=both)
    async with run_hub(declarations=in_settings(fewer)):
        await until(["example.com/kept"], note="example.com/kept")
    addon = await admin.get(MANAGED_CLUSTER_ADDONS, name, namespace=spoke.cluster)
    await admin.patch_status(
        MANAGED_CLUSTER_ADDONS,
        addon,
        {**addon["status"], "registrations": [*addon["status"]["registrations"], foreign]},
    )
    async with run_hub():
        await until(["example.com/foreign"], note=None)


async def test_an_addon_without_any_credential_is_registered_for_none(
    spoke: Spoke, admin: Client, run_hub: RunHub, rights: Rights, name: str
) -> None:
    """OCM's word for it is that nothing has to be registered."""
    declaration = AddonDeclaration(name, hub_client=False)
    await rights.give(declaration)
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, name).install()
        addon = await here.until(REGISTRATION_APPLIED, "True", "NilRegistration")
        assert addon["status"].get("registrations") in (None, [])
        assert "namespace" not in addon["status"]
        roles = await admin.list(ROLES, namespace=spoke.cluster)
        assert names.addon_agent_role(name) not in [
            item["metadata"]["name"] for item in roles.items
        ]


async def test_a_right_the_hub_does_not_hold_is_named_until_it_does(
    spoke: Spoke, admin: Client, run_hub: RunHub, rights: Rights, name: str
) -> None:
    """Nobody can hand out what they do not hold; the operator reads which rule is missing."""
    bare = AddonDeclaration(name)
    declaration = AddonDeclaration(name, permissions=(permission.role("endpoints", verbs=["get"]),))
    await rights.give(bare)
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, name).install()
        addon = await here.until(REGISTRATION_APPLIED, "False", "SetPermissionFailed")
        message = message_of(addon, REGISTRATION_APPLIED)
        assert "endpoints" in message
        assert name in message
        assert "hub_permissions" in message
        assert "\n" not in message
        assert "registrations" not in addon["status"]
        await rights.give(declaration)
        await here.until(*GRANTED)


async def test_a_shared_namespace_is_no_clusters_namespace(
    spoke: Spoke, admin: Client, run_hub: RunHub, rights: Rights, name: str
) -> None:
    """Sharing what belongs to one cluster would let every cluster's agents into it."""
    async with run_hub(), await join(spoke, admin):
        pass
    declaration = AddonDeclaration(
        name,
        permissions=(
            permission.role("configmaps", verbs=["get", "list"], namespace=spoke.cluster),
        ),
    )
    await rights.give(declaration)
    other = Spoke(spoke.plane, f"c-{secrets.token_hex(4)}", spoke.bootstrap)
    async with run_hub(declarations=in_settings(declaration)), await join(other, admin) as agent:
        there = await Installed(admin, other, agent, name).install()
        addon = await there.until(REGISTRATION_APPLIED, "False", "SetPermissionFailed")
        assert f"managed cluster {spoke.cluster}" in message_of(addon, REGISTRATION_APPLIED)
        bindings = await admin.list(ROLE_BINDINGS, namespace=spoke.cluster)
        assert config_reader_role(other.cluster, name) not in [
            item["metadata"]["name"] for item in bindings.items
        ]


async def test_grants_in_shared_namespaces_end_with_what_they_were_for(
    spoke: Spoke, admin: Client, run_hub: RunHub, rights: Rights, name: str, shared: str
) -> None:
    """Nothing collects them for us: not with another declaration, a denial, or a hub that slept."""
    granted = AddonDeclaration(
        name, permissions=(permission.role("configmaps", verbs=["get"], namespace=shared),)
    )
    key = ObjectKey(config_reader_role(spoke.cluster, name), shared)
    await rights.give(granted)

    async def there() -> bool | None:
        return True if await admin.find(ROLE_BINDINGS, key.name, namespace=shared) else None

    async def gone() -> bool | None:
        for resource in (ROLE_BINDINGS, ROLES):
            if await admin.find(resource, key.name, namespace=shared) is not None:
                return None
        return True

    async with run_hub(declarations=in_settings(granted)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, name).install()
        await here.until(*GRANTED)
        await eventually(there, what="the grant")
        # Whoever takes the acceptance back takes everything back.
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": False}})
        await eventually(gone, what="the end of the grant with the acceptance")
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": True}})
        await eventually(there, what="the grant again")
    async with run_hub(declarations=in_settings(AddonDeclaration(name))):
        await eventually(gone, what="the end of the grant with its declaration")
    async with run_hub(declarations=in_settings(granted)):
        await eventually(there, what="the grant once more")
    await admin.delete(MANAGED_CLUSTER_ADDONS, name, namespace=spoke.cluster)
    await eventually(
        lambda: _absent(admin, name, spoke.cluster), what="the end of the ManagedClusterAddOn"
    )
    assert await there()
    async with run_hub(declarations=in_settings(granted)):
        await eventually(gone, what="the end of what an add-on had that went while no hub ran")


async def _absent(admin: Client, name: str, namespace: str) -> bool | None:
    found = await admin.find(MANAGED_CLUSTER_ADDONS, name, namespace=namespace)
    return True if found is None else None


async def test_a_binding_that_refers_elsewhere_is_bound_anew(
    spoke: Spoke, admin: Client, run_hub: RunHub, name: str, rights: Rights
) -> None:
    """Kubernetes lets nobody change what a binding refers to."""
    declaration = AddonDeclaration(name)
    await rights.give(declaration)
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, name).install()
        await here.until(*GRANTED)
    own = names.addon_agent_role(name)
    live = await admin.get(ROLE_BINDINGS, own, namespace=spoke.cluster)
    await admin.delete(ROLE_BINDINGS, own, namespace=spoke.cluster)
    wrong = body(ROLE_BINDINGS, own, spoke.cluster) | {
        "subjects": live["subjects"],
        "roleRef": {**live["roleRef"], "kind": "ClusterRole", "name": "view"},
    }
    wrong["metadata"]["labels"] = live["metadata"]["labels"]
    await admin.create(ROLE_BINDINGS, wrong)

    async def right() -> bool | None:
        binding = await admin.find(ROLE_BINDINGS, own, namespace=spoke.cluster)
        return True if binding is not None and binding["roleRef"] == live["roleRef"] else None

    async with run_hub(declarations=in_settings(declaration)):
        await eventually(right, what="the binding to its own Role")


async def test_what_others_label_alike_is_left_alone(
    spoke: Spoke, admin: Client, run_hub: RunHub, name: str, rights: Rights
) -> None:
    """Another program may grant an add-on's agent more, and find it again by the same labels."""
    declaration = AddonDeclaration(name)
    await rights.give(declaration)
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, name).install()
        await here.until(*GRANTED)
        labels = {names.CLUSTER_NAME_LABEL: spoke.cluster, names.ADDON_NAME_LABEL: name}
        theirs = body(ROLES, "theirs", spoke.cluster) | {"rules": []}
        theirs["metadata"]["labels"] = labels
        await admin.create(ROLES, theirs)
        # The next pass, which a change of the add-on brings about, would remove it.
        await admin.delete(ROLES, names.addon_agent_role(name), namespace=spoke.cluster)
        await eventually(
            lambda: admin.find(ROLES, names.addon_agent_role(name), namespace=spoke.cluster),
            what="the hub's own Role again",
        )
        assert await admin.find(ROLES, "theirs", namespace=spoke.cluster) is not None


async def test_rights_are_granted_once_and_then_nothing_is_written(
    spoke: Spoke, admin: Client, run_hub: RunHub, rights: Rights, name: str, shared: str
) -> None:
    """An add-on costs its owner, two objects for each namespace, and one status."""
    declaration = three_forms(name, shared=shared)
    await rights.give(declaration)
    async with (
        run_hub(declarations=in_settings(declaration)) as hub,
        await join(spoke, admin) as agent,
    ):
        await eventually(lambda: admin.find(CLUSTER_MANAGEMENT_ADDONS, name), what="the definition")
        hub.calls.clear()
        here = await Installed(admin, spoke, agent, name).install()
        await here.until(*GRANTED)
        # The ManagedClusterAddOn has its owner written, and its status.
        expected = {"roles": 2, "rolebindings": 2, "managedclusteraddons": 2}

        async def counted() -> Counter[str] | None:
            # A call counts once it is answered, which is a moment after it has had its effect.
            written = _written_for_addons(hub)
            return written if written.total() >= sum(expected.values()) else None

        assert await eventually(counted, what="all the writes of an add-on") == expected
        hub.calls.clear()
        await here.agent.patch_status(
            MANAGED_CLUSTER_ADDONS,
            addon := await here.get(),
            addon["status"] | {"kubeClientDriver": "csr"},
        )
        await admin.patch(
            CLUSTER_MANAGEMENT_ADDONS, name, {"metadata": {"annotations": {"team": "a"}}}
        )
        await asyncio.sleep(0.5)  # nothing tells when nothing happens
        assert not _written_for_addons(hub)


def _written_for_addons(hub: RunningHub) -> Counter[str]:
    """Count the hub's writes by kind, but for those that the joining of a cluster takes."""
    kinds = Counter(
        call.resource.partition(".")[0]
        for call in hub.calls
        if call.verb not in ("get", "list", "watch") and call.status < 400
    )
    theirs = ("roles", "rolebindings", "managedclusteraddons", "clustermanagementaddons")
    return Counter({kind: count for kind, count in kinds.items() if kind in theirs})
