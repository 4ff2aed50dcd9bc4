"""The examples on real control planes; their own tests show more of each, on embedded ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alert_forwarder
import alerts_agent
import alerts_demo
import forwarder_demo
import helloworld
import pytest
import test_alert_forwarder
import test_custom_signer
import test_helloworld
from anyio.from_thread import BlockingPortal, start_blocking_portal

from towline_agent import AddonAgent
from towline_sandbox.plane import ControlPlane
from towline_sandbox.testing import EnabledAddon, JoinedPair
from towline_sandbox.testing.pair import enabled_addon, joined_pair

pytestmark = [
    pytest.mark.planes("kube", because="the examples' own tests run on the embedded one"),
    pytest.mark.timeout(240),
]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where an example runs."""

    planes: tuple[ControlPlane, ControlPlane]
    portal: BlockingPortal
    folder: Path

    @contextmanager
    def joined(
        self, agent: AddonAgent[Any], hub_settings: dict[str, object]
    ) -> Iterator[JoinedPair]:
        """Run a hub with these settings, and a cluster that has joined it."""
        joining = joined_pair(
            self.portal,
            *self.planes,
            folder=self.folder,
            addons=[agent.name],
            hub_settings=hub_settings,
        )
        with self.portal.wrap_async_context_manager(joining) as pair:
            yield pair


@pytest.fixture
def sandbox(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> Iterator[Sandbox]:
    """Both planes, and an event loop for what runs on them."""
    tmp_path.chmod(0o700)
    with start_blocking_portal(name="towline") as portal:
        yield Sandbox((hub_plane, spoke_plane), portal, tmp_path)


Run = Callable[[Sandbox], None]


def run_helloworld(sandbox: Sandbox) -> None:
    """Run helloworld's own test."""
    agent = helloworld.agent
    with (
        sandbox.joined(agent, {}) as pair,
        sandbox.portal.wrap_async_context_manager(
            enabled_addon(pair, agent, folder=sandbox.folder)
        ) as addon,
    ):
        test_helloworld.test_what_the_hub_says_is_copied_and_removed(addon)


def run_alert_forwarder(sandbox: Sandbox) -> None:
    """Run alert-forwarder's own test."""
    agent = alert_forwarder.agent
    with sandbox.joined(agent, forwarder_demo.hub_settings()) as pair:
        forwarder_demo.let_see_events(pair.spoke)
        enabling = enabled_addon(pair, agent, folder=sandbox.folder)
        with sandbox.portal.wrap_async_context_manager(enabling) as addon:
            test_alert_forwarder.test_the_hub_is_told_of_warnings_and_of_their_repeats(addon)


def run_custom_signer(sandbox: Sandbox) -> None:
    """Run custom-signer's own test, with its server."""
    agent, inbox = alerts_agent.agent, test_custom_signer.Inbox()
    receiving = alerts_demo.receiver(sandbox.folder, on_alert=inbox.take)
    with (
        sandbox.portal.wrap_async_context_manager(receiving) as receiver,
        sandbox.joined(agent, alerts_demo.hub_settings()) as pair,
    ):
        enabling = enabled_addon(
            pair,
            agent,
            folder=sandbox.folder,
            signers=[alerts_agent.SIGNER],
            settings={
                "alerts_server": receiver.address,
                "alerts_ca": receiver.server_ca,
                "alerts_every": 0.1,
            },
        )
        addon: EnabledAddon
        with sandbox.portal.wrap_async_context_manager(enabling) as addon:
            test_custom_signer.test_the_server_knows_the_cluster_through_a_rotation(
                addon, receiver, inbox
            )


@pytest.mark.parametrize("run", [run_helloworld, run_alert_forwarder, run_custom_signer])
def test_an_example_does_on_real_planes_what_its_own_test_says(sandbox: Sandbox, run: Run) -> None:
    """What works only on our own plane works for nobody."""
    run(sandbox)
