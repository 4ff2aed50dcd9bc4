"""What each identity of the channel may do: everything it was granted, and nothing else.

The lists here are written out, not taken from the code under test: they are what OCM's agents rely
on and what an operator of a hub is promised.
"""

import asyncio
import base64
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from integration.channel.conftest import HUB_USER, corners
from integration.channel.corner import CONFIG, OTHER_CONFIG, Corner, mounted_client
from integration.channel.programs import WITHOUT_COLLECTOR, Program
from support.joining import obj
from support.plane_clients import admin_client, client_of
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    PODS,
    ROLE_BINDINGS,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_certs import Subject, build_request, generate_key
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_sandbox.plane import ControlPlane

pytestmark = pytest.mark.planes("kube", because="hub and agent as programs meet the real thing")

Grant = tuple[str, str, str, str]
"""API group, resource, name (empty for every object), verb."""

RBAC = "rbac.authorization.k8s.io"
CLUSTER = "cluster.open-cluster-management.io"
ADDON = "addon.open-cluster-management.io"
WORK = "work.open-cluster-management.io"
REGISTER = "register.open-cluster-management.io"
CERTIFICATES = "certificates.k8s.io"
RULES_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview",
    namespaced=False,
)  # fmt: skip
TOKENS = "serviceaccounts/token"


def grants(group: str, resources: str, verbs: str, *, name: str = "") -> set[Grant]:
    """Return what one line of a table grants."""
    return {
        (group, resource, name, verb) for resource in resources.split() for verb in verbs.split()
    }


def cluster_wide(cluster: str) -> set[Grant]:
    """Return what an accepted cluster's agent may do outside of its namespace."""
    return {
        *grants(CERTIFICATES, "certificatesigningrequests", "create get list watch"),
        *grants(REGISTER, "managedclusters/clientcertificates", "renew"),
        *grants(CLUSTER, "managedclusters", "get list update watch", name=cluster),
        *grants(CLUSTER, "managedclusters/status", "patch update", name=cluster),
    }


def in_own_namespace() -> set[Grant]:
    """Return what it may do in its namespace beside that."""
    return {
        *grants("coordination.k8s.io", "leases", "get list watch update"),
        *grants(ADDON, "managedclusteraddons", "get list watch"),
        *grants(ADDON, "managedclusteraddons/status", "patch update"),
        *grants("events.k8s.io", "events", "create patch update"),
        *grants("", "events", "create patch update"),
        *grants(WORK, "manifestworks", "get list watch update patch"),
        *grants(WORK, "manifestworks/status", "patch update"),
    }


EVERYBODYS = {
    *grants("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
    *grants("authentication.k8s.io", "selfsubjectreviews", "create"),
}
"""What Kubernetes lets everybody ask about themselves."""


async def held(client: Client, namespace: str) -> set[Grant]:
    """Return everything a client may do in a namespace and cluster-wide, but what everybody may."""
    review = await client.create(
        RULES_REVIEWS, obj(RULES_REVIEWS, "", spec={"namespace": namespace})
    )
    assert not review["status"]["incomplete"], review
    found = {
        (group, resource, name, verb)
        for rule in review["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    }
    assert found >= EVERYBODYS
    return found - EVERYBODYS


async def paths_held(client: Client) -> set[str]:
    """Return the paths that are no resources which a client may get."""
    review = await client.create(RULES_REVIEWS, obj(RULES_REVIEWS, "", spec={"namespace": "x"}))
    return {
        path
        for rule in review["status"]["nonResourceRules"]
        for path in rule["nonResourceURLs"]
    }  # fmt: skip


# Two clusters that have joined, with the same add-on on both


@dataclass(frozen=True)
class Pair:
    """Two joined clusters, and the four credentials they earned, as pods would have them."""

    one: Corner
    two: Corner
    one_hub: Path
    one_addon: Path
    two_hub: Path
    two_addon: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def joined(
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    hub: Program,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Pair]:
    """Two clusters that have joined and have the add-on `helloworld` configured."""
    folder = tmp_path_factory.mktemp("pair")
    async with corners(hub_plane, spoke_plane, folder=folder) as make_corner:
        pair = [await make_corner(addon="helloworld") for _ in range(2)]
        await pair[0].define_addon()
        for corner in pair:
            await corner.prepare_agent()
            corner.agent.start()
        mounts = []
        for corner in pair:
            await corner.joined()
            await corner.enable_addon()
        for corner in pair:
            await corner.configured()
            mounts.append(await corner.mounted_cluster_credential())
            mounts.append(await corner.mounted_addon_credential())
        yield Pair(pair[0], pair[1], *mounts)


@pytest_asyncio.fixture
async def pair(
    joined: Pair, admin: Client, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> AsyncIterator[Pair]:
    """The two clusters, for one test."""
    async with admin_client(spoke_plane) as spoke:
        yield replace(
            joined,
            one=joined.one.seen_through(admin, spoke),
            two=joined.two.seen_through(admin, spoke),
        )


async def test_every_identity_holds_exactly_what_it_was_granted(
    pair: Pair, admin: Client, hub_plane: ControlPlane
) -> None:
    """The whole list of rules, compared as a set: one right more or less is found."""
    one, two = pair.one, pair.two
    elsewhere = (
        two.cluster,
        two.config_namespace,
        "default",
        "kube-system",
        "open-cluster-management",
    )
    async with mounted_client(pair.one_hub) as agent:
        everywhere = cluster_wide(one.cluster)
        assert await held(agent, one.cluster) == everywhere | in_own_namespace()
        for namespace in (*elsewhere, one.config_namespace):
            assert await held(agent, namespace) == everywhere, namespace
        agent_paths = await paths_held(agent)
    async with mounted_client(pair.one_addon) as addon:
        assert await held(addon, one.cluster) == {
            *grants("", "configmaps", "get list watch"),
            *grants(ADDON, "managedclusteraddons", "get list watch", name="helloworld"),
            *grants(ADDON, "managedclusteraddons/status", "patch", name="helloworld"),
        }
        assert await held(addon, one.config_namespace) == grants(
            ADDON, "addondeploymentconfigs", "get list watch", name=CONFIG
        )
        for namespace in elsewhere:
            assert await held(addon, namespace) == set(), namespace
        addon_paths = await paths_held(addon)
    async with client_of(await hub_plane.kubeconfig_for("a-stranger")) as stranger:
        assert await held(stranger, one.cluster) == set()
        assert agent_paths == addon_paths == await paths_held(stranger)
    async with admin_client(hub_plane) as client:
        assert ("*", "*", "", "*") in await held(client, one.cluster), "a wildcard would be seen"


async def test_no_credential_opens_anything_of_another_cluster(pair: Pair) -> None:
    """One managed cluster that falls must not take the fleet with it (CVE-2024-56513)."""
    one, two = pair.one, pair.two
    sides = ((pair.one_hub, pair.one_addon, one, two), (pair.two_hub, pair.two_addon, two, one))
    for hub_credential, addon_credential, own, other in sides:
        async with mounted_client(hub_credential) as client:
            # Twins: the same calls on its own objects work.
            await client.get(MANAGED_CLUSTERS, own.cluster)
            await client.get(MANAGED_CLUSTER_ADDONS, "helloworld", namespace=own.cluster)
            await client.get(LEASES, "managed-cluster-lease", namespace=own.cluster)
            await refused(client, other)
            lease = await other.hub.get(LEASES, "managed-cluster-lease", namespace=other.cluster)
            cluster = await other.hub.get(MANAGED_CLUSTERS, other.cluster)
            addon = await other.managed_addon()
            for resource, body in ((LEASES, lease), (MANAGED_CLUSTERS, cluster)):
                with pytest.raises(Forbidden):
                    await client.replace(resource, body)
            for resource, body in ((MANAGED_CLUSTERS, cluster), (MANAGED_CLUSTER_ADDONS, addon)):
                with pytest.raises(Forbidden):
                    await client.patch_status(resource, body, {"conditions": []})
        async with mounted_client(addon_credential) as client:
            await client.get(CONFIG_MAPS, "greeting", namespace=own.cluster)
            await client.get(ADDON_DEPLOYMENT_CONFIGS, CONFIG, namespace=own.config_namespace)
            await refused(client, other)
            with pytest.raises(Forbidden):
                await client.get(
                    ADDON_DEPLOYMENT_CONFIGS, OTHER_CONFIG, namespace=own.config_namespace
                )


async def refused(client: Client, other: Corner) -> None:
    """See every look at another cluster's objects refused."""
    looks: list[tuple[Resource, str, str | None]] = [
        (MANAGED_CLUSTERS, other.cluster, None),
        (MANAGED_CLUSTER_ADDONS, "helloworld", other.cluster),
        (LEASES, "managed-cluster-lease", other.cluster),
        (CONFIG_MAPS, "greeting", other.cluster),
        (ADDON_DEPLOYMENT_CONFIGS, CONFIG, other.config_namespace),
        (NAMESPACES, other.cluster, None),
        (SECRETS, "any", other.cluster),
    ]
    for resource, name, namespace in looks:
        with pytest.raises(Forbidden):
            await client.find(resource, name, namespace=namespace)
        with pytest.raises(Forbidden):
            await client.list(resource, namespace=namespace)


# The same through kubectl, as whoever steals a credential would


KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on PATH")


@dataclass(frozen=True)
class Kubectl:
    """kubectl with one credential."""

    kubeconfig: Path
    home: Path

    async def run(self, command: str, *, stdin: KubeObject | None = None) -> tuple[int, str]:
        """Return the exit status and everything that was printed."""
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            f"--kubeconfig={self.kubeconfig}",
            "--request-timeout=20s",
            *command.split(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **WITHOUT_COLLECTOR},
        )
        async with asyncio.timeout(30):
            out, _ = await process.communicate(json.dumps(stdin).encode() if stdin else b"")
        assert process.returncode is not None
        return process.returncode, out.decode()

    async def run_all(self, commands: Iterable[str]) -> dict[str, tuple[int, str]]:
        """Run commands, a few at a time; return what each did."""
        few = asyncio.Semaphore(4)

        async def one(command: str) -> tuple[int, str]:
            async with few:
                return await self.run(command)

        listed = list(commands)
        return dict(zip(listed, await asyncio.gather(*map(one, listed)), strict=True))


def allowed_calls(cluster: str) -> list[str]:
    """Return real calls that the agent's credential is for."""
    return [
        f"get managedcluster {cluster} -o name",
        f"get managedclusteraddons -n {cluster} -o name",
        f"get lease managed-cluster-lease -n {cluster} -o name",
        f"get leases -n {cluster} -o name",
        "get csr -o name",
        # kubectl reads a status before it writes it, which nobody needs and nobody may.
        f"auth can-i patch managedclusters.{CLUSTER}/{cluster} --subresource=status",
        f"auth can-i patch managedclusteraddons.{ADDON} -n {cluster} --subresource=status",
        f"get managedclusters --field-selector=metadata.name={cluster} -o name",
        "auth can-i create certificatesigningrequests.certificates.k8s.io",
        f"auth can-i update managedclusters.{CLUSTER}/{cluster}",
        f"auth can-i update leases.coordination.k8s.io/managed-cluster-lease -n {cluster}",
        f"auth can-i create events.events.k8s.io -n {cluster}",
    ]


def calls_for_more_rights(own: str, *, request: str) -> list[str]:
    """Return real calls by which somebody would come to rights that were not granted."""
    return [
        f"create clusterrolebinding thief --clusterrole=cluster-admin --user={own}",
        f"create rolebinding thief -n {own} --clusterrole=admin --user={own}",
        f"create role thief -n {own} --verb=get --resource=secrets",
        "create clusterrole thief --verb=get --resource=secrets",
        f"certificate approve {request}",
        f"certificate deny {request}",
        f"delete csr {request}",
        f"create token default -n {own}",
        f"create serviceaccount thief -n {own}",
        "get ns --as=thief --as-group=system:masters",
    ]  # fmt: skip


def forbidden_calls(own: str, other: str, *, request: str) -> list[str]:
    """Return real calls that nobody's stolen credential must be good for."""
    return [
        # looking around
        f"get secrets -n {own}",
        "get secrets -A",
        f"get configmaps -n {own}",
        "get configmaps -n kube-system",
        "get managedclusters",
        f"get managedcluster {other}",
        f"get managedclusteraddons -n {other}",
        "get managedclusteraddons -A",
        f"get leases -n {other}",
        f"get ns {own}",
        "get namespaces",
        "get nodes",
        "get pods -A",
        "get crd",
        "get clusterroles",
        f"get rolebindings -n {own}",
        "get clustermanagementaddons",
        "get addondeploymentconfigs -A",
        "get --raw /metrics",
        # changing what is its own
        f"delete managedcluster {own}",
        f"delete managedclusteraddon helloworld -n {own}",
        f"delete lease managed-cluster-lease -n {own}",
        f"patch managedcluster {own} --type=merge -p {{}}",
        f"patch managedclusteraddon helloworld -n {own} --type=merge -p {{}}",
        f"patch lease managed-cluster-lease -n {own} --type=merge -p {{}}",
        # changing what is another's
        f"delete managedcluster {other}",
        f"patch managedcluster {other} --subresource=status --type=merge -p {{}}",
        f"patch managedclusteraddon helloworld -n {other} --type=merge -p {{}}",
        *calls_for_more_rights(own, request=request),
        # running something
        f"run thief -n {own} --image=thief",
        f"create deployment thief -n {own} --image=thief",
        f"create configmap thief -n {own}",
        f"create secret generic thief -n {own}",
        "create namespace thief",
    ]  # fmt: skip


@needs_kubectl
async def test_kubectl_with_the_agents_credential_does_what_was_granted_and_nothing_else(
    pair: Pair, tmp_path: Path
) -> None:
    """What an operator would try: the real tool, the credential as it lies in the Secret."""
    own, other = pair.one.cluster, pair.two.cluster
    request = await undecided_request(pair.one.hub)
    kubectl = Kubectl(pair.one_hub / "kubeconfig", tmp_path)
    status, said = await kubectl.run("auth whoami -o json")
    assert status == 0, said
    assert own in json.loads(said)["status"]["userInfo"]["username"]
    lease = await pair.one.hub.get(LEASES, "managed-cluster-lease", namespace=own)
    for changed, works in ((lease, True), (renamed(lease, "another"), False)):
        status, said = await kubectl.run(
            "replace -f -" if works else "create -f -", stdin=without_version(changed)
        )
        assert (status == 0) is works, said
        assert works or "forbidden" in said.lower()
    for command, (status, said) in (await kubectl.run_all(allowed_calls(own))).items():
        assert status == 0, f"{command}: {said}"
    outcomes = await kubectl.run_all(forbidden_calls(own, other, request=request))
    assert not_forbidden(outcomes) == []


@needs_kubectl
async def test_kubectl_with_the_addons_credential_reads_its_configuration_and_nothing_else(
    pair: Pair, tmp_path: Path
) -> None:
    """The add-on's own code holds this one, so it is the likeliest to be stolen.

    That it holds nothing beside, `test_every_identity_holds_exactly_what_it_was_granted` shows.
    """
    own, other = pair.one.cluster, pair.two.cluster
    request = await undecided_request(pair.one.hub)
    kubectl = Kubectl(pair.one_addon / "kubeconfig", tmp_path)
    outcomes = await kubectl.run_all([
        f"get configmaps -n {own} -o name",
        f"get configmap greeting -n {own} -o name",
        f"get managedclusteraddon helloworld -n {own} -o name",
        f"get addondeploymentconfig {CONFIG} -n {pair.one.config_namespace} -o name",
    ])  # fmt: skip
    for command, (status, said) in outcomes.items():
        assert status == 0, f"{command}: {said}"
    forbidden = [
        *calls_for_more_rights(own, request=request),
        f"get secrets -n {own}",
        "get managedclusters",
        f"get managedcluster {own}",
        f"get lease managed-cluster-lease -n {own}",
        f"get managedclusteraddons -n {own}",
        f"patch managedclusteraddon helloworld -n {own} --subresource=status --type=merge -p {{}}",
        f"patch configmap greeting -n {own} --type=merge -p {{}}",
        f"delete configmap greeting -n {own}",
        f"get configmap greeting -n {other}",
        f"get addondeploymentconfigs -n {pair.one.config_namespace}",
        f"get addondeploymentconfig {OTHER_CONFIG} -n {pair.one.config_namespace}",
        f"get addondeploymentconfig {CONFIG} -n {pair.two.config_namespace}",
        "get csr",
    ]
    assert not_forbidden(await kubectl.run_all(forbidden)) == []


@needs_kubectl
async def test_the_forbidden_calls_are_calls_that_somebody_may_make(
    pair: Pair, hub_plane: ControlPlane, tmp_path: Path
) -> None:
    """A misspelt call would be refused to everybody, and prove nothing: none is."""
    own, other = pair.one.cluster, pair.two.cluster
    request = await undecided_request(pair.one.hub)
    (tmp_path / "admin").write_text(hub_plane.admin_kubeconfig())
    kubectl = Kubectl(tmp_path / "admin", tmp_path)
    no_dry_run = ("get ", "certificate approve", "create token")
    calls = [
        call if call.startswith(no_dry_run) else f"{call} --dry-run=server"
        for call in forbidden_calls(own, other, request=request)
        if not call.startswith("certificate deny")  # what is approved cannot be denied
    ]
    outcomes = await kubectl.run_all(calls)
    assert [f"{call}: {said}" for call, (status, said) in outcomes.items() if status != 0] == []


async def undecided_request(admin: Client) -> str:
    """Make a request that nobody decides about; return its name."""
    pem = build_request(generate_key(), subject=Subject("somebody", frozenset()))
    spec = {
        "request": base64.b64encode(pem).decode(),
        "signerName": "example.com/nobody",
        "usages": ["client auth"],
    }
    name = f"undecided-{secrets.token_hex(4)}"
    await admin.create(
        CERTIFICATE_SIGNING_REQUESTS, obj(CERTIFICATE_SIGNING_REQUESTS, name, spec=spec)
    )
    return name


def not_forbidden(outcomes: dict[str, tuple[int, str]]) -> list[str]:
    """Return the calls that worked, or failed for any reason but a missing right."""
    return [
        f"{command}: {said}"
        for command, (status, said) in outcomes.items()
        if status == 0 or "forbidden" not in said.lower()
    ]


def renamed(body: KubeObject, name: str) -> KubeObject:
    """Return an object under another name."""
    return {**body, "metadata": {**body["metadata"], "name": name}}


def without_version(body: KubeObject) -> KubeObject:
    """Return an object as somebody would write it by hand."""
    metadata = {
        key: value
        for key, value in body["metadata"].items()
        if key not in ("resourceVersion", "uid", "managedFields", "creationTimestamp")
    }
    return {**body, "metadata": metadata}


# The programs' own identities


HUB_MAY_NOT = [
    ("create", "", "pods"),
    ("create", "apps", "deployments"),
    ("create", "apps", "daemonsets"),
    ("create", "batch", "jobs"),
    ("create", "batch", "cronjobs"),
    ("get", "", "pods/exec"),
    ("create", "", "pods/exec"),
    ("get", "", "secrets"),
    ("list", "", "secrets"),
    ("create", "", "secrets"),
    ("create", "", TOKENS),
    ("create", "", "serviceaccounts"),
    ("impersonate", "", "users"),
    ("impersonate", "", "groups"),
    ("impersonate", "", "serviceaccounts"),
    ("bind", RBAC, "clusterroles"),
    ("escalate", RBAC, "clusterroles"),
    ("bind", RBAC, "roles"),
    ("escalate", RBAC, "roles"),
    ("sign", CERTIFICATES, "signers"),
    ("approve", CERTIFICATES, "signers"),
    ("delete", "", "namespaces"),
    ("delete", CLUSTER, "managedclusters"),
    ("list", "", "nodes"),
    ("proxy", "", "nodes"),
    ("update", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
]


async def test_the_hub_cannot_make_itself_more_than_it_is(pair: Pair, hub_kubeconfig: Path) -> None:
    """Whoever takes the hub's account must not own the cluster it runs on (CVE-2024-9779)."""
    async with client_of(await asyncio.to_thread(hub_kubeconfig.read_text)) as client:
        assert (await client.whoami()).username == HUB_USER
        for namespace in ("kube-system", "default", pair.one.cluster):
            found = await held(client, namespace)
            assert ("", "namespaces", "", "create") in found, "the review is not empty"
            assert [grant for grant in found if "*" in "".join(grant)] == []
            refusals = set(HUB_MAY_NOT)
            wrong = [g for g in found if (g[3], g[0], g[1]) in refusals and not g[2]]
            assert wrong == []
            assert {grant for grant in found if grant[1] == "signers"} == {
                (CERTIFICATES, "signers", "kubernetes.io/kube-apiserver-client", "approve")
            }
        for verb, group, resource in HUB_MAY_NOT:
            plural, _, subresource = resource.partition("/")
            allowed = await client.can_i(
                verb=verb, group=group, resource=plural, subresource=subresource,
                namespace=pair.one.cluster,
            )  # fmt: skip
            assert not allowed, f"{verb} {resource}"
        # It may write RBAC, and only what it holds itself.
        subject = {"apiGroup": RBAC, "kind": "User", "name": HUB_USER}
        to_admin = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
        read_secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
        attempts: Sequence[tuple[Resource, KubeObject]] = (
            (CLUSTER_ROLES, obj(CLUSTER_ROLES, "thief", rules=[read_secrets])),
            (CLUSTER_ROLE_BINDINGS, obj(
                CLUSTER_ROLE_BINDINGS, "thief", roleRef=to_admin, subjects=[subject]
            )),
            (ROLE_BINDINGS, obj(
                ROLE_BINDINGS, "thief", "kube-system", roleRef=to_admin, subjects=[subject]
            )),
            (PODS, obj(PODS, "thief", "kube-system", spec={"containers": []})),
        )  # fmt: skip
        for kind, body in attempts:
            with pytest.raises(Forbidden):
                await client.create(kind, body)
        own = await client.get(CLUSTER_ROLES, "open-cluster-management:towline-hub:of-the-channel")
        own["rules"].append(read_secrets)
        with pytest.raises(Forbidden):
            await client.patch(CLUSTER_ROLES, own["metadata"]["name"], {"rules": own["rules"]})


async def test_the_agent_holds_exactly_what_it_needs_on_its_managed_cluster(
    pair: Pair, spoke_plane: ControlPlane
) -> None:
    """A hub that falls, or a thief in the agent's pod, gets two Secrets and some ConfigMaps."""
    own = pair.one
    credentials = ("hub-kubeconfig-secret", "hub-kubeconfig-secret-next")
    kept = (*credentials, *(f"{name}-pending" for name in credentials))
    everywhere = {
        *grants("", "nodes", "list watch"),
        *grants(CLUSTER, "clusterclaims", "list watch"),
        *grants("", "namespaces", "create"),
    }
    at_home = {
        *grants("", "secrets", "create"),
        *(one for name in kept for one in grants("", "secrets", "get update delete", name=name)),
        *(one for name in credentials for one in grants("", "secrets", "list watch", name=name)),
    }  # fmt: skip
    with_addons = {
        *grants("", "configmaps", "get list watch create patch delete"),
        *grants("", "secrets", "get list watch create update delete"),
        *grants("coordination.k8s.io", "leases", "get list watch create patch delete"),
    }
    async with client_of(await spoke_plane.kubeconfig_for(own.user)) as client:
        assert await held(client, own.namespace) == everywhere | at_home
        assert await held(client, own.addon_namespace) == everywhere | with_addons
        for namespace in ("kube-system", "default", pair.two.namespace, pair.two.addon_namespace):
            assert await held(client, namespace) == everywhere, namespace
    async with client_of(await spoke_plane.kubeconfig_for("a-stranger")) as stranger:
        assert await held(stranger, own.namespace) == set()


async def test_the_holder_of_a_bootstrap_token_may_ask_and_look_and_nothing_else(
    pair: Pair, hub_plane: ControlPlane
) -> None:
    """Bootstrap tokens are copied into many hands."""
    async with client_of(await hub_plane.bootstrap_kubeconfig()) as client:
        expected = {
            *grants("", "configmaps", "get"),
            *grants(CERTIFICATES, "certificatesigningrequests", "create get list watch"),
            *grants(CLUSTER, "managedclusters", "get create list watch"),
            *grants(CLUSTER, "managedclustersets/join", "create"),
        }
        for namespace in (pair.one.cluster, "default", "kube-system"):
            found = await held(client, namespace)
            assert found == expected
        request = (await pair.one.requests())[0]
        with pytest.raises(Forbidden):
            await client.replace(CERTIFICATE_SIGNING_REQUESTS, request, subresource="approval")
