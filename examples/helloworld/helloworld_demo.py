"""The whole example on this machine: `python helloworld_demo.py`. Ends with Ctrl-C."""

import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import helloworld
from anyio.from_thread import start_blocking_portal

from towline_api.resources import CONFIG_MAPS
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.testing import EnabledAddon
from towline_sandbox.testing.pair import enabled_addon, joined_pair


@contextmanager
def everything(folder: Path) -> Iterator[EnabledAddon]:
    """Run a hub, a managed cluster that has joined it, and the add-on there."""
    agent = helloworld.agent
    with (
        EmbeddedPlane("hub") as hub_plane,
        EmbeddedPlane("spoke") as spoke_plane,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(
            joined_pair(portal, hub_plane, spoke_plane, folder=folder, addons=[agent.name])
        ) as pair,
        portal.wrap_async_context_manager(enabled_addon(pair, agent, folder=folder)) as addon,
    ):
        yield addon


def show(addon: EnabledAddon) -> None:
    """Change a ConfigMap on the hub again and again, and print what comes to the cluster."""
    for number in itertools.count(1):
        data = {"message": f"hello, {addon.cluster}, for the {number}. time"}
        original = {"metadata": {"name": "greeting", "namespace": addon.cluster}, "data": data}
        addon.hub.apply(CONFIG_MAPS, original)
        addon.spoke.wait_for(
            CONFIG_MAPS,
            "greeting",
            namespace=addon.namespace,
            until=lambda copy: copy["data"] == data,  # noqa: B023
        )
        print(f"on the managed cluster: {data['message']}")  # noqa: T201
        time.sleep(2)


def main() -> None:
    """Run everything until it is interrupted."""
    try:
        with tempfile.TemporaryDirectory() as folder, everything(Path(folder)) as addon:
            show(addon)
    except KeyboardInterrupt:
        print("ended")  # noqa: T201


if __name__ == "__main__":
    main()
