"""An add-on's own program is its agent: behind another agent, or alone."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support.joining import JoinHub, agent_settings
from support.played_hub import PlayedHub, agent_for, obj, play_hub, rule, until
from towline_agent import AddonAgent, AddonSettings, HubChannel, SpokeScope, local_copy
from towline_agent.addons.cluster_addons import AddonOptions
from towline_api.names import KUBE_CLIENT_SIGNER
from towline_api.resources import CONFIG_MAPS, LEASES, SECRETS, KubeObject
from towline_certs.credentials import from_secret_data
from towline_certs.identities import AddonIdentity
from towline_sandbox.plane import ControlPlane

ADDON = "helloworld"
EXAMPLE = Path(__file__).parents[3] / "examples" / "helloworld" / "helloworld.py"


def elsewhere(options: AddonOptions) -> AddonOptions:
    return replace(options, elsewhere=frozenset({ADDON}))


@pytest_asyncio.fixture
async def played(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, cluster_name: str
) -> AsyncIterator[PlayedHub]:
    """A hub whose agent keeps the add-on's credential and leaves the rest to the program."""
    async with play_hub(hub_plane, spoke_plane, cluster_name) as played:
        await played.make_namespace(played.cluster)
        await played.install(ADDON, namespace=played.cluster)
        await played.put("settings", {"a": "1"})
        yield played


class Mount:
    """A Secret as the kubelet mounts it: a folder per generation, and one link to the newest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._generation = 0

    def write(self, files: dict[str, bytes]) -> None:
        self._generation += 1
        generation = self.folder / f"..{self._generation}"
        generation.mkdir(parents=True)
        for name, content in files.items():
            (generation / name).write_bytes(content)
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(Path("..data") / name)
        fresh = self.folder / "..data_tmp"
        fresh.symlink_to(generation.name)
        fresh.rename(self.folder / "..data")


@pytest_asyncio.fixture
async def settings(
    played: PlayedHub, spoke_plane: ControlPlane, tmp_path: Path
) -> Callable[[], AddonSettings]:
    user = f"{played.cluster}-program"
    rules = [
        rule("", CONFIG_MAPS.plural, ["get", "list", "create", "patch", "delete"]),
        rule(LEASES.group, LEASES.plural, ["get", "create", "patch"]),
    ]
    await played.grant(played.spoke, played.cluster, user, rules, subject=("User", user))
    spoke = tmp_path / "spoke.kubeconfig"
    spoke.write_text(await spoke_plane.kubeconfig_for(user))
    return lambda: AddonSettings(
        hub_kubeconfig=tmp_path / "hub" / "kubeconfig",
        spoke_kubeconfig=spoke,
        hub_return_spread=timedelta(seconds=1),
    )


@asynccontextmanager
async def mounted(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, folder: Path
) -> AsyncIterator[Mount]:
    """Keep the credential with an agent, and mount it."""
    async with agent_for(
        played, hub_plane, spoke_plane, namespaces=[played.cluster], options=elsewhere
    ):
        mount = Mount(folder / "hub")
        mount.write(await credential(played))
        yield mount


async def credential(played: PlayedHub) -> dict[str, bytes]:
    name = f"{ADDON}-hub-kubeconfig"
    found = await until(lambda: played.find(SECRETS, name, played.cluster), "it has a credential")
    return from_secret_data(found["data"] if found else {})


async def test_the_example_runs_behind_an_agent(
    played: PlayedHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    settings: Callable[[], AddonSettings],
    tmp_path: Path,
) -> None:
    """What the README shows is what it does: copies, a lease, and an end on SIGTERM."""
    where = played.cluster
    async with mounted(played, hub_plane, spoke_plane, tmp_path):
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLE),
            f"--hub-kubeconfig={settings().hub_kubeconfig}",
            f"--spoke-kubeconfig={settings().spoke_kubeconfig}",
            "--hub-return-spread=1s",
        )
        try:
            await until(lambda: _holds(played, {"a": "1"}), "the copy is there")
            await played.put("settings", {"a": "2"})
            await until(lambda: _holds(played, {"a": "2"}), "the change is there")
            lease = await until(lambda: played.lease(ADDON, where), "the lease is there")
            assert lease is not None
            assert lease["spec"]["holderIdentity"] == "helloworld-agent"
            await until(lambda: _available(played), "the hub knows that it is alive")
            await played.hub.delete(CONFIG_MAPS, "settings", namespace=where)
            await until(lambda: _holds(played, None), "the copy is gone")
        finally:
            program.terminate()
            assert await program.wait() == 0


async def test_code_that_fails_is_retried_and_harms_nothing_else(
    played: PlayedHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    settings: Callable[[], AddonSettings],
    tmp_path: Path,
) -> None:
    """A bug in one handler, check or task leaves the channel and the other configuration alone."""
    await played.put("broken", {"a": "1"})
    agent = AddonAgent(ADDON, settings=settings())
    calls: list[str] = []
    channels: list[HubChannel] = []

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config: KubeObject, spoke: SpokeScope) -> None:
        calls.append(config["metadata"]["name"])
        await spoke.apply(local_copy(config))
        if calls.count("broken") == 1 and config["metadata"]["name"] == "broken":
            raise ZeroDivisionError("a bug of the add-on")
        config.clear()

    @agent.task
    async def main(hub: HubChannel) -> None:
        channels.append(hub)
        if len(channels) == 1:
            raise ZeroDivisionError("another one")

    async with mounted(played, hub_plane, spoke_plane, tmp_path), agent:
        await until(lambda: _holds(played, {"a": "1"}), "the good one is applied")
        await until(lambda: _holds(played, {"a": "1"}, "broken"), "so is what came before the bug")

        async def retried() -> bool:
            return calls.count("broken") == 2 and len(channels) == 2

        await until(retried, "both are tried again")
        assert calls.count("settings") == 1
        assert channels[0] is channels[1]


async def test_health_decides_on_the_lease(
    played: PlayedHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    settings: Callable[[], AddonSettings],
    tmp_path: Path,
) -> None:
    """An add-on that says it is ill must not look alive, and one that raises is ill."""
    agent = AddonAgent(ADDON, settings=settings())
    asked = asyncio.Event()

    @agent.health
    async def healthy() -> bool:
        asked.set()
        raise ZeroDivisionError("cannot tell")

    async with mounted(played, hub_plane, spoke_plane, tmp_path), agent:
        await asyncio.wait_for(asked.wait(), 30)
        assert await played.lease(ADDON, played.cluster) is None


async def test_what_an_earlier_process_applied_is_removed_if_nobody_applies_it_again(
    played: PlayedHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    settings: Callable[[], AddonSettings],
    tmp_path: Path,
) -> None:
    """Configuration that went while the program was down goes when it is back."""
    foreign = obj(CONFIG_MAPS, "foreign", played.cluster, data={})
    await played.spoke.create(CONFIG_MAPS, foreign)
    await played.put("second", {"b": "1"})

    def program() -> AddonAgent:
        agent = AddonAgent(ADDON, settings=settings())

        @agent.configuration("configmaps", namespace=agent.cluster_namespace)
        async def apply(config: KubeObject, spoke: SpokeScope) -> None:
            await spoke.apply(local_copy(config))

        return agent

    async with mounted(played, hub_plane, spoke_plane, tmp_path):
        async with program():
            await until(lambda: _holds(played, {"b": "1"}, "second"), "both are applied")
            await until(lambda: _holds(played, {"a": "1"}), "both are applied")
        await played.hub.delete(CONFIG_MAPS, "second", namespace=played.cluster)
        async with program():
            await until(lambda: _holds(played, None, "second"), "the second is removed")
        assert await _holds(played, {"a": "1"})
        assert await played.data("foreign", played.cluster) == {}


async def test_a_rotated_credential_is_taken_over_live(
    played: PlayedHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    settings: Callable[[], AddonSettings],
    tmp_path: Path,
) -> None:
    """A swap of the mounted Secret, even through a broken generation, fails no call."""
    agent = AddonAgent(ADDON, settings=settings())
    used: list[bytes | None] = []

    @agent.task
    async def main(hub: HubChannel) -> None:
        while True:
            await hub.client.list(CONFIG_MAPS, namespace=played.cluster)
            used.append(hub.connection.client_certificate_pem)
            await asyncio.sleep(0.01)

    async with mounted(played, hub_plane, spoke_plane, tmp_path) as mount:
        first = await credential(played)
        async with agent:
            await until(lambda: _seen(used, first["tls.crt"]), "the first is in use")
            identity = AddonIdentity(played.cluster, ADDON, "second")
            subject = {"user": identity.user, "groups": list(identity.groups)}
            registration = {"signerName": KUBE_CLIENT_SIGNER, "subject": subject}
            await played.set_status(ADDON, registrations=[registration])

            async def is_new() -> bool:
                return (await credential(played)).get("tls.crt") != first["tls.crt"]

            await until(is_new, "the agent has earned another one")
            second = await credential(played)
            mount.write({**second, "tls.crt": first["tls.crt"]})
            await asyncio.sleep(0.5)
            assert used[-1] == first["tls.crt"], "a certificate for another key is not used"
            mount.write(second)
            await until(lambda: _seen(used, second["tls.crt"]), "the second is in use")


async def test_a_body_s_own_error_arrives_as_it_is(
    played: PlayedHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    settings: Callable[[], AddonSettings],
    tmp_path: Path,
) -> None:
    """Embedding must not change how a program's errors look."""
    with pytest.raises(ZeroDivisionError):
        async with AddonAgent(ADDON, settings=settings()):
            raise ZeroDivisionError


async def test_a_program_with_a_bootstrap_kubeconfig_is_its_cluster_s_whole_agent(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """The same code needs no other agent: it joins, earns both credentials, and works."""
    where = hub.cluster
    played = PlayedHub(hub.hub, hub.spoke, where)
    await played.prepare()
    await played.make_namespace(where)
    await played.install(ADDON, namespace=where)
    await played.put("settings", {"a": "1"})
    given = await agent_settings(
        hub, hub_plane, spoke_plane, folder=tmp_path, addon_namespaces=[where]
    )
    agent = AddonAgent(ADDON, settings=AddonSettings(**given.model_dump()))
    channels: list[HubChannel] = []

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config: KubeObject, spoke: SpokeScope) -> None:
        await spoke.apply(local_copy(config))

    @agent.task
    async def main(channel: HubChannel) -> None:
        channels.append(channel)

    async with agent:
        await until(lambda: _holds(played, {"a": "1"}), "the copy is there")
        await until(lambda: _available(played), "the hub knows that it is alive")
        me = await channels[0].client.whoami()
        assert me.username == AddonIdentity(where, ADDON, ADDON).user

        async def completed() -> bool:
            return (await played.condition(ADDON, "Progressing")).get("reason") == "Completed"

        await until(completed, "what is in force is reported")


async def _holds(played: PlayedHub, data: Any, name: str = "settings") -> bool:
    return bool(await played.data(name, played.cluster) == data)


async def _seen(used: list[bytes | None], certificate: bytes) -> bool:
    return certificate in used


async def _available(played: PlayedHub) -> bool:
    return (await played.condition(ADDON, "Available")).get("status") == "True"
