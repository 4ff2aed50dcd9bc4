"""Add-ons: registration, rights, configuration, and what is left when they go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from integration.hub.conftest import RunHub
from integration.hub.spoke import (
    Spoke,
    condition_is,
    decision,
    eventually,
    issued,
    join,
    until_condition,
)
from towline_api import names
from towline_api.condition_types import CONFIGURED, REGISTRATION_APPLIED
from towline_api.metadata import ObjectKey, owner_references_of, uid_of
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    KubeObject,
)
from towline_api.spec_hash import spec_hash
from towline_certs import AddonIdentity, Subject, generate_key
from towline_hub.addons.addon_rbac import config_reader_role
from towline_kube.client import Client
from towline_kube.errors import Forbidden

CONFIG_KIND = {"group": "addon.open-cluster-management.io", "resource": "addondeploymentconfigs"}
CONFIG_MAP_KIND = {"group": "", "resource": "configmaps"}


@dataclass
class Scene:
    """One add-on, defined on the hub and installed on one joined cluster."""

    admin: Client
    spoke: Spoke
    agent: Client
    addon: str

    @property
    def cluster(self) -> str:
        """Name of the cluster."""
        return self.spoke.cluster

    async def define(self, *supported: dict[str, Any]) -> KubeObject:
        """Create or change the ClusterManagementAddOn."""
        return await self.admin.apply(
            CLUSTER_MANAGEMENT_ADDONS,
            {
                "apiVersion": CLUSTER_MANAGEMENT_ADDONS.api_version,
                "kind": CLUSTER_MANAGEMENT_ADDONS.kind,
                "metadata": {"name": self.addon},
                "spec": {"supportedConfigs": list(supported)},
            },
        )

    async def install(self, *configs: dict[str, Any]) -> KubeObject:
        """Create the ManagedClusterAddOn."""
        return await self.admin.create(
            MANAGED_CLUSTER_ADDONS,
            {
                "metadata": {"name": self.addon, "namespace": self.cluster},
                "spec": {"configs": list(configs)},
            },
        )

    async def until(self, kind: str, status: str, reason: str | None = None) -> KubeObject:
        """Return the ManagedClusterAddOn once a condition has this status."""
        return await until_condition(
            self.admin,
            MANAGED_CLUSTER_ADDONS,
            self.addon,
            kind,
            status,
            reason=reason,
            namespace=self.cluster,
        )

    async def configure(self, name: str, *, namespace: str, **spec: Any) -> KubeObject:
        """Create or change an AddOnDeploymentConfig."""
        return await self.admin.apply(
            ADDON_DEPLOYMENT_CONFIGS,
            {
                "apiVersion": ADDON_DEPLOYMENT_CONFIGS.api_version,
                "kind": ADDON_DEPLOYMENT_CONFIGS.kind,
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            },
        )

    async def until_hash(self, expected: str) -> KubeObject:
        """Return the ManagedClusterAddOn once its first reference has a hash."""

        async def look() -> KubeObject | None:
            addon = await self.admin.get(MANAGED_CLUSTER_ADDONS, self.addon, namespace=self.cluster)
            references = addon.get("status", {}).get("configReferences") or [{}]
            desired = references[0].get("desiredConfig", {})
            return addon if desired.get("specHash") == expected else None

        return await eventually(look, what=f"hash {expected}")

    async def addon_client(self) -> Client:
        """Return a client with the add-on's own, freshly earned certificate."""
        key = generate_key()
        name = await self.spoke.ask_for_addon(self.addon, client=self.agent, key=key)
        certificate = await issued(self.admin, name)
        return Client(self.spoke.connection(certificate, key=key), field_manager="test-addon")


@asynccontextmanager
async def scene(spoke: Spoke, admin: Client) -> AsyncIterator[Scene]:
    """A joined cluster and an add-on's name nobody else uses."""
    async with await join(spoke, admin) as agent:
        yield Scene(admin, spoke, agent, f"addon-{spoke.cluster}")


@pytest.fixture
def shared(cluster_name: str) -> str:
    """A namespace of the hub's operator, for configuration of the whole fleet."""
    return f"shared-{cluster_name}"


async def test_an_addon_is_registered_and_its_agent_gets_its_own_identity(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """From two objects an operator makes to a credential that may follow its configuration."""
    async with run_hub(), scene(spoke, admin) as s:
        definition = await s.define()
        await s.install()
        addon = await s.until(REGISTRATION_APPLIED, "True", "SetPermissionApplied")
        await s.until(CONFIGURED, "True")
        status = addon["status"]
        identity = AddonIdentity(s.cluster, s.addon, s.addon)
        assert status["registrations"] == [
            {
                "signerName": names.KUBE_CLIENT_SIGNER,
                "subject": {"user": identity.user, "groups": list(identity.groups)},
            }
        ]
        assert status["namespace"] == names.ADDON_NAMESPACE
        assert status["healthCheck"] == {"mode": "Lease"}
        assert [item["uid"] for item in owner_references_of(addon)] == [uid_of(definition)]
        async with await s.addon_client() as client:
            me = await client.whoami()
            assert me.username == identity.user
            await client.list(CONFIG_MAPS, namespace=s.cluster)
            await client.get(MANAGED_CLUSTER_ADDONS, s.addon, namespace=s.cluster)
            for resource in (SECRETS, MANAGED_CLUSTER_ADDONS, ROLES):
                with pytest.raises(Forbidden):
                    await client.list(resource, namespace=s.cluster)
            for resource in (CONFIG_MAPS, MANAGED_CLUSTER_ADDONS):
                with pytest.raises(Forbidden):
                    await client.list(resource, namespace="default")
            with pytest.raises(Forbidden):
                await client.list(MANAGED_CLUSTERS)


async def test_the_same_addon_elsewhere_is_a_stranger(
    spoke: Spoke, other_spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """All agents of an add-on share one group; it must not open other clusters' namespaces."""
    async with run_hub(), scene(spoke, admin) as s, await join(other_spoke, admin) as other_agent:
        await s.define()
        await s.install()
        other = Scene(admin, other_spoke, other_agent, s.addon)
        await other.install()
        await s.until(REGISTRATION_APPLIED, "True")
        await other.until(REGISTRATION_APPLIED, "True")
        async with await s.addon_client() as client:
            await client.list(CONFIG_MAPS, namespace=s.cluster)
            with pytest.raises(Forbidden):
                await client.list(CONFIG_MAPS, namespace=other.cluster)


async def test_a_changed_configuration_is_hashed_anew(
    spoke: Spoke, admin: Client, run_hub: RunHub, shared: str
) -> None:
    """The agent learns of a change from the hash, and may read exactly that object."""
    async with run_hub(), scene(spoke, admin) as s:
        await admin.create(NAMESPACES, {"metadata": {"name": shared}})
        config = await s.configure(
            "fleet", namespace=shared, customizedVariables=[{"name": "A", "value": "1"}]
        )
        await s.configure("other", namespace=shared)
        await s.define({**CONFIG_KIND, "defaultConfig": {"name": "fleet", "namespace": shared}})
        await s.install()
        await s.until_hash(spec_hash(config))
        async with await s.addon_client() as client:
            await client.get(ADDON_DEPLOYMENT_CONFIGS, "fleet", namespace=shared)
            await client.list(
                ADDON_DEPLOYMENT_CONFIGS, namespace=shared, field_selector="metadata.name=fleet"
            )
            with pytest.raises(Forbidden):
                await client.get(ADDON_DEPLOYMENT_CONFIGS, "other", namespace=shared)
            with pytest.raises(Forbidden):
                await client.list(ADDON_DEPLOYMENT_CONFIGS, namespace=shared)
        changed = await s.configure(
            "fleet",
            namespace=shared,
            customizedVariables=[{"name": "A", "value": "2"}],
            agentInstallNamespace="elsewhere",
        )
        assert spec_hash(changed) != spec_hash(config)
        addon = await s.until_hash(spec_hash(changed))
        assert addon["status"]["namespace"] == "elsewhere"
        assert addon["status"]["configReferences"][0]["lastObservedGeneration"] == 2


async def test_what_the_agent_applied_survives_the_hubs_writing(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Hub and agent write the same list; neither may lose the other's part."""
    async with run_hub(), scene(spoke, admin) as s:
        config = await s.configure("own", namespace=s.cluster)
        await s.define(CONFIG_KIND)
        await s.install({**CONFIG_KIND, "name": "own", "namespace": s.cluster})
        addon = await s.until_hash(spec_hash(config))
        reference = addon["status"]["configReferences"][0]
        applied = {**reference, "lastAppliedConfig": reference["desiredConfig"]}
        await s.agent.patch_status(
            MANAGED_CLUSTER_ADDONS,
            addon,
            addon["status"] | {"configReferences": [applied], "kubeClientDriver": "csr"},
        )
        changed = await s.configure(
            "own", namespace=s.cluster, customizedVariables=[{"name": "A", "value": "1"}]
        )
        addon = await s.until_hash(spec_hash(changed))
        reference = addon["status"]["configReferences"][0]
        assert reference["lastAppliedConfig"]["specHash"] == spec_hash(config)
        assert addon["status"]["kubeClientDriver"] == "csr"


async def test_a_missing_configuration_is_named_until_it_appears(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """An operator who mistyped a name finds it in the condition; no restart is needed."""
    async with run_hub(), scene(spoke, admin) as s:
        await s.define(CONFIG_KIND, CONFIG_MAP_KIND)
        await s.install(
            {**CONFIG_KIND, "name": "later", "namespace": s.cluster},
            {**CONFIG_MAP_KIND, "name": "later-too", "namespace": s.cluster},
        )
        addon = await s.until(CONFIGURED, "False", "ConfigurationsNotConfigured")
        message = _message(addon, CONFIGURED)
        assert f"{s.cluster}/later does not exist" in message
        assert f"configmaps {s.cluster}/later-too does not exist" in message
        await s.configure("later", namespace=s.cluster)
        await admin.create(
            CONFIG_MAPS,
            {"metadata": {"name": "later-too", "namespace": s.cluster}, "data": {"test": "1"}},
        )
        await s.until(CONFIGURED, "True")
        await admin.patch(CONFIG_MAPS, "later-too", {"data": {"test": "2"}}, namespace=s.cluster)
        config_map = await admin.get(CONFIG_MAPS, "later-too", namespace=s.cluster)
        await s.until_hash(spec_hash(config_map))


async def test_another_namespaces_config_map_cannot_be_borrowed(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Whoever may install add-ons on a cluster must not read the hub's ConfigMaps through it."""
    async with run_hub(), scene(spoke, admin) as s:
        await s.define(CONFIG_MAP_KIND)
        await s.install({**CONFIG_MAP_KIND, "name": "kube-root-ca.crt", "namespace": "kube-system"})
        addon = await s.until(CONFIGURED, "False")
        assert "put a copy into" in _message(addon, CONFIGURED)
        roles = await admin.list(ROLES, namespace="kube-system")
        assert not [item for item in roles.items if s.cluster in item["metadata"]["name"]]


async def test_grants_in_other_namespaces_go_with_the_reference_and_with_the_addon(
    spoke: Spoke, admin: Client, run_hub: RunHub, shared: str
) -> None:
    """Kubernetes cannot collect them for us, so a forgotten one would stay for ever."""
    async with run_hub(), scene(spoke, admin) as s:
        await admin.create(NAMESPACES, {"metadata": {"name": shared}})
        await s.configure("fleet", namespace=shared)
        await s.configure("own", namespace=s.cluster)
        reference = {**CONFIG_KIND, "name": "fleet", "namespace": shared}
        await s.define(CONFIG_KIND)
        await s.install(reference)
        name = config_reader_role(s.cluster, s.addon)

        async def granted() -> bool | None:
            return True if await admin.find(ROLE_BINDINGS, name, namespace=shared) else None

        async def taken_back() -> bool | None:
            role = await admin.find(ROLES, name, namespace=shared)
            binding = await admin.find(ROLE_BINDINGS, name, namespace=shared)
            return True if role is None and binding is None else None

        await eventually(granted, what="the grant in the shared namespace")
        key = ObjectKey(s.addon, s.cluster)
        own = {**CONFIG_KIND, "name": "own", "namespace": s.cluster}
        patch = {"spec": {"configs": [own]}}
        await admin.patch(MANAGED_CLUSTER_ADDONS, key.name, patch, namespace=key.namespace)
        await eventually(taken_back, what="the end of the grant with its reference")
        patch = {"spec": {"configs": [reference]}}
        await admin.patch(MANAGED_CLUSTER_ADDONS, key.name, patch, namespace=key.namespace)
        await eventually(granted, what="the grant in the shared namespace again")
        await admin.delete(MANAGED_CLUSTER_ADDONS, key.name, namespace=key.namespace)
        await eventually(taken_back, what="the end of the grant with its add-on")


async def test_edited_rights_are_put_right(spoke: Spoke, admin: Client, run_hub: RunHub) -> None:
    """A rule added by hand is a hole; a binding removed by hand is an outage."""
    async with run_hub(), scene(spoke, admin) as s:
        await s.define()
        await s.install()
        await s.until(REGISTRATION_APPLIED, "True")
        name = names.addon_agent_role(s.addon)
        before = await admin.get(ROLES, name, namespace=s.cluster)
        wide = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
        await admin.patch(ROLES, name, {"rules": [*before["rules"], wide]}, namespace=s.cluster)
        await admin.delete(ROLE_BINDINGS, name, namespace=s.cluster)

        async def repaired() -> bool | None:
            role = await admin.get(ROLES, name, namespace=s.cluster)
            binding = await admin.find(ROLE_BINDINGS, name, namespace=s.cluster)
            return True if role["rules"] == before["rules"] and binding is not None else None

        await eventually(repaired, what="the repair of the add-on's rights")


async def test_an_addon_of_another_hub_program_is_left_alone(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """On a shared hub, each add-on has one authority."""
    async with run_hub(addons=("another",)), scene(spoke, admin) as s:
        await s.define()
        await s.install()
        other = Scene(admin, spoke, s.agent, "another")
        await other.define()
        await other.install()
        await other.until(REGISTRATION_APPLIED, "True")
        addon = await admin.get(MANAGED_CLUSTER_ADDONS, s.addon, namespace=s.cluster)
        assert "status" not in addon
        await admin.delete(CLUSTER_MANAGEMENT_ADDONS, "another")


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        pytest.param("system:masters-of-addons", "SubjectNotAnIdentity", id="extra-group"),
        pytest.param(None, "SubjectOfAnother", id="another-addon"),
    ],
)
async def test_a_hostile_addon_request_is_denied(
    spoke: Spoke, admin: Client, run_hub: RunHub, group: str | None, reason: str
) -> None:
    """A cluster's agent asks for its add-ons, and for nothing they were not registered for."""
    async with run_hub(), scene(spoke, admin) as s:
        await s.define()
        await s.install()
        await s.until(REGISTRATION_APPLIED, "True")
        if group is None:
            subject = AddonIdentity(s.cluster, "other", "other").subject
        else:
            good = AddonIdentity(s.cluster, s.addon, s.addon).subject
            subject = Subject(good.common_name, good.organizations | {group})
        name = await spoke.ask_for_addon(
            s.addon, client=s.agent, key=generate_key(), subject=subject
        )
        kind, found, message = await decision(admin, name)
        assert (kind, found) == ("Denied", reason)
        assert message


async def test_a_request_before_its_registration_is_approved_once_it_is_there(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Order is luck; waiting costs the agent nothing."""
    async with run_hub(), scene(spoke, admin) as s:
        name = await spoke.ask_for_addon(s.addon, client=s.agent, key=generate_key())
        csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        assert not condition_is(csr, "Approved", "True")
        await s.define()
        await s.install()
        kind, _, _ = await decision(admin, name)
        assert kind == "Approved"


def _message(obj: KubeObject, kind: str) -> str:
    return str(next(i["message"] for i in obj["status"]["conditions"] if i["type"] == kind))
