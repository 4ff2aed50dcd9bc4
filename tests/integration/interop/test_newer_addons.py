"""An agent that is not ours speaks add-ons in v1beta1, as OCM's does today, to our hub."""

from pathlib import Path

from integration.conftest import MakePlane
from integration.hub.version_hub import version_hub
from support.played_agent import JSON, PlayedAgent, Reply, Wire, find_condition, new_key, wire
from support.waiting import until
from towline_kube.connection import Connection
from towline_kube.kubeconfig import parse_kubeconfig

API = "/apis/addon.open-cluster-management.io/v1beta1"
GROUP = "addon.open-cluster-management.io"


async def test_an_agent_of_today_registers_an_addon_in_v1beta1(
    make_plane: MakePlane, tmp_path: Path, cluster_name: str
) -> None:
    """It reads typed registrations, says its driver in them, and asks; the hub stores v1alpha1."""
    async with version_hub(await make_plane("newer"), tmp_path) as hub, hub.running():
        bootstrap = parse_kubeconfig(await hub.plane.bootstrap_kubeconfig(), source="test")
        admin = parse_kubeconfig(hub.plane.admin_kubeconfig(), source="test")
        async with wire(bootstrap) as asking, wire(admin) as operator:
            to_hub = Connection(bootstrap.server, bootstrap.ca_pem)
            agent = PlayedAgent(to_hub, asking, cluster_name)
            async with agent.join() as own:
                await _register(agent, own, operator)


async def _register(agent: PlayedAgent, own: Wire, operator: Wire) -> None:
    name = "helloworld"
    collection = f"{API}/namespaces/{agent.cluster}/managedclusteraddons"
    path = f"{collection}/{name}"
    await _create(operator, f"{API}/clustermanagementaddons", _definition(name))
    await _create(operator, collection, _addon(name, agent.cluster))

    def is_registered(seen: list[JSON]) -> bool:
        return any(
            find_condition(item, "RegistrationApplied").get("status") == "True" for item in seen
        )

    (addon,) = await own.follow(collection, f"fieldSelector=metadata.name%3D{name}", is_registered)
    group = f"system:open-cluster-management:cluster:{agent.cluster}:addon:{name}"
    subject = {
        "user": f"{group}:agent:{name}",
        "groups": [group, f"system:open-cluster-management:addon:{name}"],
    }
    assert addon["status"]["registrations"] == [
        {"type": "kubeClient", "kubeClient": {"subject": subject}}
    ]

    async def say_driver() -> Reply | None:
        live = (await own.get(path)).ok()
        registrations = live["status"]["registrations"]
        registrations[0]["kubeClient"]["driver"] = "csr"
        patch = {
            "metadata": {key: live["metadata"][key] for key in ("uid", "resourceVersion")},
            "status": {"registrations": registrations},
        }
        answer = await own.merge(f"{path}/status", patch)
        return None if answer.status == 409 else answer

    said = await until(say_driver, what=lambda: "others keep writing in between")
    assert said is not None
    assert said.ok()["status"]["registrations"][0]["kubeClient"]["driver"] == "csr"
    key = new_key()
    asked = await agent.ask_for_addon(
        name, through=own, key=key, user=str(subject["user"]), groups=list(subject["groups"])
    )
    issued = await agent.issued(asked, through=own, addon=name)
    async with wire(agent.connection(issued, key=key)) as channel:
        seen = (await channel.get(path)).ok()
    # What the agent said stands, however often the hub looked since.
    assert seen["status"]["registrations"] == [
        {"type": "kubeClient", "kubeClient": {"subject": subject, "driver": "csr"}}
    ]
    stored = (await operator.get(path.replace("v1beta1", "v1alpha1"))).ok()
    assert stored["status"]["kubeClientDriver"] == "csr"
    assert stored["status"]["registrations"][0]["signerName"].endswith("kube-apiserver-client")


async def _create(operator: Wire, path: str, body: JSON) -> None:
    """Create an object as soon as its kind is served in this version."""

    async def made() -> bool:
        answer = await operator.post(path, body)
        assert answer.status in (201, 404, 409, 500, 503), answer
        return answer.status in (201, 409)

    await until(made, what=lambda: f"{path} is not served")


def _definition(name: str) -> JSON:
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "ClusterManagementAddOn",
        "metadata": {"name": name},
        "spec": {"addOnMeta": {"displayName": name}},
    }


def _addon(name: str, cluster: str) -> JSON:
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "ManagedClusterAddOn",
        "metadata": {"name": name, "namespace": cluster},
        "spec": {},
    }
