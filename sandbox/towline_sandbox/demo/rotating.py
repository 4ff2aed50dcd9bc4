"""Third act: certificates rotate under a client that never notices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.mounted_credential import MountedCredential
from towline_api import names
from towline_api.errors import TowlineError
from towline_api.resources import CONFIG_MAPS
from towline_certs import parse_credential
from towline_kube.task_groups import TaskGroup
from towline_sandbox.demo.stage import ADDON, CLUSTER, PATIENCE, Stage
from towline_sandbox.demo.steps import Story
from towline_sandbox.mount import Mount
from towline_sandbox.waiting import until

_CALL_EVERY_SECONDS = 0.01
_ROTATIONS = 2
_ROTATIONS_WITHIN = timedelta(seconds=60)


@dataclass(slots=True)
class Caller:
    """A client that calls the hub again and again, and what became of its calls.

    Args:
        calls: How many calls were answered.
        failures: What each failed call said.
        certificates: End of validity of each certificate that was used, in order.
    """

    calls: int = 0
    failures: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)

    async def call_on(self, channel: HubChannel) -> NoReturn:
        """Read the add-on's ConfigMaps through the channel every ten milliseconds."""
        client = await channel.wait_ready()
        while True:
            self._note_certificate(channel)
            try:
                await client.list(CONFIG_MAPS, namespace=CLUSTER)
                self.calls += 1
            except TowlineError as error:
                self.failures.append(str(error))
            await asyncio.sleep(_CALL_EVERY_SECONDS)

    def _note_certificate(self, channel: HubChannel) -> None:
        connection = channel.connection
        if connection.client_certificate_pem is None or connection.client_key_pem is None:
            raise AssertionError("the add-on's kubeconfig names no client certificate")
        credential = parse_credential(
            key_pem=connection.client_key_pem, certificate_pem=connection.client_certificate_pem
        )
        ends = f"{credential.validity.not_after:%H:%M:%S}"
        if ends not in self.certificates:
            self.certificates.append(ends)


@asynccontextmanager
async def calling(stage: Stage) -> AsyncIterator[Caller]:
    """Call the hub with the add-on's credential, as its pod would, while the body runs."""
    caller = Caller()
    channel = HubChannel()
    folder = stage.folder / "mounted-credential"
    mounted = MountedCredential(folder / names.KUBECONFIG_KEY)
    mount = Mount(
        stage.spoke,
        name=names.addon_hub_kubeconfig_secret(ADDON),
        namespace=names.ADDON_NAMESPACE,
        folder=folder,
    )
    await mount.refresh()  # a pod starts once its volumes are there
    async with TaskGroup() as group:
        tasks = [
            group.create_task(mount.keep(), name="mount-secret"),
            group.create_task(mounted.watch(channel.offer), name="watch-credential"),
            group.create_task(channel.run(), name="run-channel"),
            group.create_task(caller.call_on(channel), name="call-hub"),
        ]
        try:
            yield caller
        finally:
            for task in tasks:
                task.cancel()


async def show_rotation(story: Story, caller: Caller) -> None:
    """Show certificates being replaced while the caller keeps calling."""
    with story.step("certificates rotate live; a client on the channel notices nothing") as seen:

        async def first_call() -> bool | None:
            return True if caller.calls else None

        await until("the first call on the channel", first_call, within=PATIENCE)
        before = len(caller.certificates)

        async def rotated() -> bool | None:
            return True if len(caller.certificates) >= before + _ROTATIONS else None

        async def progress() -> str:
            return f"{caller.calls} calls, certificates until {caller.certificates}"

        await until(
            f"{_ROTATIONS} rotations", rotated, within=_ROTATIONS_WITHIN, last_seen=progress
        )
        seen.append(f"certificates valid until {', '.join(caller.certificates)}")
        seen.append(f"{caller.calls} calls answered, {len(caller.failures)} failed")
        if caller.failures:
            raise AssertionError(f"a call failed while rotating: {caller.failures[0]}")
