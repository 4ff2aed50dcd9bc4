"""Looking after some add-ons on a hub that belongs to another program."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from integration.hub.conftest import RunHub
from integration.hub.declared import (
    Installed,
    apply_rights,
    make_namespace,
    remove_rights,
)
from integration.hub.spoke import Spoke, csr_body, decision, eventually, issued, join
from support.tasks import background
from towline_api import names
from towline_api.condition_types import REGISTRATION_APPLIED
from towline_api.metadata import owner_references_of, resource_version_of
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_api.spec_hash import spec_hash
from towline_certs import Subject, build_request, generate_key
from towline_certs.certificates import parse_chain
from towline_hub import Addon, AddonManager, AddonManagerSettings, daemon, permission
from towline_hub.addons.addon_rbac import config_reader_role
from towline_hub.permissions import ADDONS_ONLY_ROLE, addons_only_permissions
from towline_hub.settings import HubSettings
from towline_hub.signers.settings import SignerSettings
from towline_kube.client import Call, Client
from towline_kube.errors import Forbidden
from towline_sandbox.plane import ControlPlane

GRANTED = REGISTRATION_APPLIED, "True", "SetPermissionApplied"
WATCHES = 7
WATCHED = (
    MANAGED_CLUSTERS,
    CLUSTER_MANAGEMENT_ADDONS,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    LEASES,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLES,
    ROLE_BINDINGS,
    CONFIG_MAPS,
    SERVICE_ACCOUNTS,
    CERTIFICATE_SIGNING_REQUESTS,
    ADDON_DEPLOYMENT_CONFIGS,
)


class Program:
    """A program that looks after add-ons, under rights for exactly these."""

    def __init__(self, plane: ControlPlane, admin: Client, folder: Path) -> None:
        self._plane = plane
        self._admin = admin
        self._folder = folder
        self._rights: list[KubeObject] = []

    @asynccontextmanager
    async def manager(self, addon: Addon) -> AsyncIterator[list[Call]]:
        """Run an `AddonManager`; yield its calls."""
        user = f"program-of-{addon.name}"
        calls: list[Call] = []
        manager = AddonManager(
            addon,
            settings=AddonManagerSettings(kubeconfig=await self._kubeconfig(user)),
            on_call=calls.append,
        )
        await self._grant(manager.permissions(user_subject(user)))
        async with manager:
            await _until_watching(calls)
            yield calls

    @asynccontextmanager
    async def hub_run(self, *addons: str) -> AsyncIterator[list[Call]]:
        """Run `towline hub run --addons-only --addons ...`; yield its calls."""
        user = f"part-{secrets.token_hex(4)}"
        await self._grant(addons_only_permissions(user_subject(user), addons=addons))
        settings = HubSettings(
            kubeconfig=await self._kubeconfig(user), addons=addons, addons_only=True
        )
        calls: list[Call] = []
        stop = asyncio.Event()
        running = daemon.run(settings, stop, on_call=calls.append)
        async with background(running, name="run-part") as task:
            await _until_watching(calls)
            yield calls
            stop.set()
            async with asyncio.timeout(10):
                await asyncio.wait([task])

    async def take_away(self) -> None:
        """Remove the rights again."""
        await remove_rights(self._admin, self._rights)

    async def _kubeconfig(self, user: str) -> Path:
        path = self._folder / f"{user}.kubeconfig"
        path.write_text(await self._plane.kubeconfig_for(user))
        return path

    async def _grant(self, rights: list[KubeObject]) -> None:
        self._rights += rights
        await apply_rights(self._admin, rights)


async def _until_watching(calls: list[Call]) -> None:
    async def watching() -> bool | None:
        opened = {call.resource for call in calls if call.verb == "watch"}
        return True if len(opened) >= WATCHES else None

    await eventually(watching, what="the program's watches")


@pytest_asyncio.fixture
async def program(hub_plane: ControlPlane, admin: Client, tmp_path: Path) -> AsyncIterator[Program]:
    """Run programs beside another hub."""
    program = Program(hub_plane, admin, tmp_path)
    yield program
    await program.take_away()


@pytest.fixture
def name() -> str:
    """An add-on's name that no other test uses."""
    return f"addon-{secrets.token_hex(4)}"


async def snapshot(admin: Client, *words: str) -> dict[tuple[str, str], str]:
    """Return the version of every object whose place or name holds one of these words.

    Of all kinds a hub writes; what the plane and earlier tests' ends do beside is left out.
    """
    seen = {}
    for resource in WATCHED:
        for obj in (await admin.list(resource)).items:
            metadata = obj["metadata"]
            where = f"{metadata.get('namespace', '')}/{metadata['name']}"
            # The program's own rights come from its administrator.
            if ADDONS_ONLY_ROLE not in where and any(word in where for word in words):
                seen[resource.qualified, where] = resource_version_of(obj)
    return seen


async def define(admin: Client, name: str, **spec: Any) -> KubeObject:
    """Create a ClusterManagementAddOn as an operator does."""
    return await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": name}, "spec": spec})


async def test_nothing_but_its_own_add_ons_objects_is_written(
    spoke: Spoke,
    other_spoke: Spoke,
    admin: Client,
    run_hub: RunHub,
    program: Program,
    name: str,
) -> None:
    """Another program's clusters, add-ons, requests and roles stay as they are, to the version."""
    own, foreign = name, f"{name}-foreign"
    # What a hub of another program leaves: it accepted clusters, and serves an add-on of its own.
    async with AsyncExitStack() as stack:
        async with run_hub(addons=(foreign,)):
            agent = await stack.enter_async_context(await join(spoke, admin))
            await define(admin, foreign)
            theirs = await Installed(admin, spoke, agent, foreign).install()
            await theirs.until(*GRANTED)
        await define(admin, own)
        await Installed(admin, spoke, agent, own).install()
        # A cluster nobody accepted, and requests that wait for that other program.
        await other_spoke.register()
        await other_spoke.ask()
        await spoke.ask_for_addon(foreign, client=agent, key=generate_key())
        await admin.create(
            ROLES,
            {
                "metadata": {
                    "name": "leftover",
                    "namespace": spoke.cluster,
                    "labels": {
                        names.CLUSTER_NAME_LABEL: spoke.cluster,
                        names.ADDON_NAME_LABEL: own,
                    },
                },
                "rules": [],
            },
        )
        words = (
            spoke.cluster,
            other_spoke.cluster,
            name,
            "open-cluster-management:managedcluster:",
        )
        before = await snapshot(admin, *words)
        async with program.hub_run(own) as calls:
            here = Installed(admin, spoke, agent, own)
            await here.until(*GRANTED)
            async with here.by_certificate() as client:
                await client.list(CONFIG_MAPS, namespace=spoke.cluster)
                with pytest.raises(Forbidden):
                    await client.list(CONFIG_MAPS, namespace="default")
        after = await snapshot(admin, *words)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    (request,) = {where for kind, where in changed if kind.startswith("certificatesigning")}
    assert request.startswith(f"/addon-{spoke.cluster}-{own}-")
    grant = f"{spoke.cluster}/{names.addon_agent_role(own)}"
    assert {key for key in changed if key[1] != request} == {
        (MANAGED_CLUSTER_ADDONS.qualified, f"{spoke.cluster}/{own}"),
        (ROLES.qualified, grant),
        (ROLE_BINDINGS.qualified, grant),
    }
    # A write that changes nothing leaves no trace in a version, and one elsewhere none in these.
    written = {
        (call.verb, call.resource)
        for call in calls
        if call.verb not in ("get", "list", "watch") and not call.resource.startswith("events")
    }
    assert written == {
        ("create", ROLES.qualified),
        ("create", ROLE_BINDINGS.qualified),
        ("patch", f"{MANAGED_CLUSTER_ADDONS.qualified}/status"),
        ("replace", f"{CERTIFICATE_SIGNING_REQUESTS.qualified}/approval"),
        ("create", "selfsubjectreviews.authentication.k8s.io"),
    }


async def test_owner_and_configuration_stay_the_other_programs(
    spoke: Spoke, admin: Client, run_hub: RunHub, program: Program, name: str
) -> None:
    """It fills in what a reference hashes to; which references there are, somebody else says."""
    async with run_hub(addons=("nobodys",)), await join(spoke, admin) as agent:
        shared = await make_namespace(admin, f"shared-{name}")
        kind = {"group": ADDON_DEPLOYMENT_CONFIGS.group, "resource": "addondeploymentconfigs"}
        place = {"name": "fleet", "namespace": shared}
        config = await admin.create(
            ADDON_DEPLOYMENT_CONFIGS, {"metadata": place, "spec": {"agentInstallNamespace": "x"}}
        )
        definition = await define(admin, name, supportedConfigs=[{**kind, "defaultConfig": place}])
        here = await Installed(admin, spoke, agent, name).install()
        async with program.hub_run(name):
            addon = await here.until(*GRANTED)
            assert "configReferences" not in addon["status"]
            assert not owner_references_of(addon)
            # The other program decides.
            reference = {**kind, **place, "desiredConfig": place}
            unchosen = {"name": "unchosen", "namespace": shared}
            await admin.create(ADDON_DEPLOYMENT_CONFIGS, {"metadata": unchosen, "spec": {}})
            stranger = {**kind, **unchosen, "desiredConfig": unchosen}
            await admin.patch_status(
                CLUSTER_MANAGEMENT_ADDONS,
                definition,
                {"defaultconfigReferences": [{**kind, "desiredConfig": place}]},
            )
            await admin.patch_status(
                MANAGED_CLUSTER_ADDONS,
                addon,
                addon["status"] | {"configReferences": [reference, stranger]},
            )

            async def hashed() -> KubeObject | None:
                addon = await here.get()
                found = addon["status"]["configReferences"]
                hashes = [item["desiredConfig"].get("specHash") for item in found]
                return addon if hashes == [spec_hash(config), None] else None

            addon = await eventually(hashed, what="the hash of the reference")
            assert addon["status"]["namespace"] == "x"
            assert [c["type"] for c in addon["status"]["conditions"]] == [REGISTRATION_APPLIED]

            async def default_hashed() -> bool | None:
                found = await admin.get(CLUSTER_MANAGEMENT_ADDONS, name)
                (default,) = found["status"]["defaultconfigReferences"]
                return True if default["desiredConfig"].get("specHash") else None

            await eventually(default_hashed, what="the hash of the default")
            async with here.by_certificate() as client:
                await client.get(ADDON_DEPLOYMENT_CONFIGS, "fleet", namespace=shared)
                # Agents may write such a status themselves; what nobody chose opens nothing.
                with pytest.raises(Forbidden):
                    await client.get(ADDON_DEPLOYMENT_CONFIGS, "unchosen", namespace=shared)


async def test_two_managers_in_one_process_serve_one_add_on_each(
    spoke: Spoke, admin: Client, run_hub: RunHub, program: Program, name: str
) -> None:
    """Beside a whole hub, which leaves registration and rights to them."""
    first, second = Addon(f"{name}-1", display_name="First"), Addon(f"{name}-2")
    first.grants(permission.role("leases", group=LEASES.group, verbs=["get", "list"]))
    async with (
        run_hub(),
        await join(spoke, admin) as agent,
        program.manager(first) as calls,
        program.manager(second) as other_calls,
    ):
        for addon in (first, second):
            definition = await _defined(admin, addon.name)
            mark = definition["metadata"]["annotations"][names.SERVED_BY_ANNOTATION]
            assert mark == "towline-addons"
            here = await Installed(admin, spoke, agent, addon.name).install()
            await here.until(*GRANTED)
            # The whole hub does the other half.
            await here.until("Configured", "True")
            owners = owner_references_of(await here.get())
            assert [owner["name"] for owner in owners] == [addon.name]
        here = Installed(admin, spoke, agent, first.name)
        async with here.by_certificate() as client:
            await client.list(LEASES, namespace=spoke.cluster)
        there = Installed(admin, spoke, agent, second.name)
        async with there.by_certificate() as client:
            with pytest.raises(Forbidden):
                await client.list(LEASES, namespace=spoke.cluster)
        for made in (calls, other_calls):
            assert not [call for call in made if call.status == 403]
            roles = [call for call in made if call.verb == "create" and "role" in call.resource]
            assert len(roles) == 2


async def _defined(admin: Client, addon: str) -> KubeObject:
    return await eventually(
        lambda: admin.find(CLUSTER_MANAGEMENT_ADDONS, addon), what="the definition"
    )


async def test_requests_for_others_add_ons_are_not_decided(
    spoke: Spoke, admin: Client, run_hub: RunHub, program: Program, name: str
) -> None:
    """What is not labelled with one of its own add-ons is not even seen."""
    async with AsyncExitStack() as stack:
        async with run_hub(addons=("nobodys",)):
            agent = await stack.enter_async_context(await join(spoke, admin))
        async with program.hub_run(name):
            await define(admin, name)
            here = await Installed(admin, spoke, agent, name).install()
            await here.until(*GRANTED)
            foreign = await spoke.ask_for_addon("foreign", client=agent, key=generate_key())
            mine = await spoke.ask_for_addon(name, client=agent, key=generate_key())
            assert (await decision(admin, mine))[0] == "Approved"
            left = await admin.get(CERTIFICATE_SIGNING_REQUESTS, foreign)
            assert not left.get("status", {}).get("conditions")


async def test_what_it_granted_elsewhere_goes_with_the_cluster(
    spoke: Spoke, admin: Client, run_hub: RunHub, program: Program, name: str
) -> None:
    """The hub beside it removes the cluster; nobody but the program knows of its grants."""
    shared = await make_namespace(admin, f"shared-{name}")
    addon = Addon(name)
    addon.grants(permission.role("configmaps", verbs=["get"], namespace=shared))
    grant = config_reader_role(spoke.cluster, name)
    async with run_hub(), await join(spoke, admin) as agent, program.manager(addon):
        await _defined(admin, name)
        here = await Installed(admin, spoke, agent, name).install()
        await here.until(*GRANTED)
        assert await admin.find(ROLE_BINDINGS, grant, namespace=shared) is not None
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)

        async def gone() -> bool | None:
            left = [
                await admin.find(resource, grant, namespace=shared)
                for resource in (ROLE_BINDINGS, ROLES)
            ]
            return True if not any(left) else None

        await eventually(gone, what="the end of the grant in the shared namespace")


async def test_replicas_of_a_manager_elect_a_leader_of_their_own(
    hub_plane: ControlPlane, spoke: Spoke, admin: Client, run_hub: RunHub, name: str, tmp_path: Path
) -> None:
    """Two stand ready, under the rights they ask for; the one that leads does the work."""
    namespace = await make_namespace(admin, f"own-{name}")
    addon, user = Addon(name), f"replicas-of-{name}"
    rights = AddonManager(addon).permissions(user_subject(user), namespace=namespace)
    await apply_rights(admin, rights)
    path = tmp_path / "replicas.kubeconfig"
    path.write_text(await hub_plane.kubeconfig_for(user))
    settings = AddonManagerSettings(kubeconfig=path, namespace=namespace, leader_election=True)
    async with (
        run_hub(),
        await join(spoke, admin) as agent,
        AddonManager(addon, settings=settings),
        AddonManager(addon, settings=settings),
    ):
        await _defined(admin, name)
        here = await Installed(admin, spoke, agent, name).install()
        await here.until(*GRANTED)
        lease = await admin.get(LEASES, f"towline-addons.{name}", namespace=namespace)
        assert lease["spec"]["holderIdentity"]
    await remove_rights(admin, rights)


async def test_a_denied_cluster_loses_what_the_program_granted(
    spoke: Spoke, admin: Client, run_hub: RunHub, program: Program, name: str
) -> None:
    """Whatever hub runs beside it knows nothing of these grants."""
    shared = await make_namespace(admin, f"shared-{name}")
    addon = Addon(name)
    addon.grants(permission.role("configmaps", verbs=["get"], namespace=shared))
    places = (
        (names.addon_agent_role(name), spoke.cluster),
        (config_reader_role(spoke.cluster, name), shared),
    )
    async with AsyncExitStack() as stack:
        async with run_hub(addons=("nobodys",)):
            agent = await stack.enter_async_context(await join(spoke, admin))
        async with program.manager(addon):
            await _defined(admin, name)
            here = await Installed(admin, spoke, agent, name).install()
            await here.until(*GRANTED)
            patch = {"spec": {"hubAcceptsClient": False}}
            await admin.patch(MANAGED_CLUSTERS, spoke.cluster, patch)

            async def gone() -> bool | None:
                left = [
                    await admin.find(ROLE_BINDINGS, grant, namespace=namespace)
                    for grant, namespace in places
                ]
                return True if not any(left) else None

            await eventually(gone, what="the end of the grants")


async def test_a_manager_plays_its_add_ons_own_signer(
    hub_plane: ControlPlane, spoke: Spoke, admin: Client, run_hub: RunHub, name: str, tmp_path: Path
) -> None:
    """Declared subject, approval and certificate, under the rights of that one program."""
    namespace = await make_namespace(admin, f"own-{name}")
    signer = SignerSettings(
        signer_name=f"example.com/{name}", secret=f"authority-{name}", managed=True
    )
    addon, user = Addon(name), f"signing-{name}"
    addon.custom_signer(signer.signer_name, user="speaker-{cluster}", groups=["speakers"])
    manager = AddonManager(
        addon,
        settings=AddonManagerSettings(
            kubeconfig=tmp_path / "signer.kubeconfig", namespace=namespace, signers=(signer,)
        ),
    )
    rights = manager.permissions(user_subject(user), namespace=namespace, signers=[signer])
    await apply_rights(admin, rights)
    (tmp_path / "signer.kubeconfig").write_text(await hub_plane.kubeconfig_for(user))
    async with run_hub(), await join(spoke, admin) as agent, manager:
        await _defined(admin, name)
        here = await Installed(admin, spoke, agent, name).install()
        await here.until(*GRANTED)
        subjects = {
            "declared": Subject(f"speaker-{spoke.cluster}", frozenset({"speakers"})),
            "another": Subject("speaker-of-another", frozenset({"speakers"})),
        }
        requests = {}
        for word, subject in subjects.items():
            pem = build_request(
                generate_key(), subject=subject, dns_names=[names.addon_dns_name(name)]
            )
            labels = {names.CLUSTER_NAME_LABEL: spoke.cluster, names.ADDON_NAME_LABEL: name}
            body = csr_body(
                f"addon-{spoke.cluster}-{name}-{word}",
                pem,
                labels=labels,
                signer=signer.signer_name,
            )
            await agent.create(CERTIFICATE_SIGNING_REQUESTS, body)
            requests[word] = body["metadata"]["name"]
        (certificate, *_) = parse_chain(await issued(admin, requests["declared"]))
        assert f"CN=speaker-{spoke.cluster}" in certificate.subject.rfc4514_string()
        left = await admin.get(CERTIFICATE_SIGNING_REQUESTS, requests["another"])
        assert not left.get("status", {}).get("certificate")
    await remove_rights(admin, rights)
