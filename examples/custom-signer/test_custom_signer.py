"""custom-signer, tested end to end: certificates of the add-on's own signer, and a rotation."""

import base64
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from towline_agent import AddonAgent
from towline_api.names import HUB_NAMESPACE, addon_client_certificate_secret
from towline_api.resources import SECRETS
from towline_certs import Authority, format_key, generate_key, parse_key
from towline_certs.certificates import parse_chain
from towline_certs.credentials import from_secret_data, to_secret_data
from towline_certs.identities import Subject
from towline_sandbox.testing import Administrator, EnabledAddon

sys.path.insert(0, str(Path(__file__).parent))

import alerts_agent
import alerts_demo
from alerts_server import Alert

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

SENDER = "alerts of cluster1"


class Inbox:
    """What the server has received."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def take(self, alert: Alert) -> None:
        """Keep an alert."""
        self.alerts.append(alert)

    def wait_for(self, test: Callable[[Alert], bool]) -> Alert:
        """Return the first alert that is as wanted."""
        deadline = monotonic() + 20
        while monotonic() < deadline:
            for alert in tuple(self.alerts):
                if test(alert):
                    return alert
            sleep(0.02)
        raise AssertionError(f"not among what was received: {self.alerts[-5:]}")


@pytest.fixture
def inbox() -> Inbox:
    """Where alerts arrive."""
    return Inbox()


@pytest.fixture
def receiver(
    towline_portal: "BlockingPortal", inbox: Inbox, tmp_path: Path
) -> Iterator[alerts_demo.Receiver]:
    """The server, which knows no authority yet."""
    serving = alerts_demo.receiver(tmp_path, on_alert=inbox.take)
    with towline_portal.wrap_async_context_manager(serving) as running:
        yield running


@pytest.fixture
def towline_hub_settings() -> Mapping[str, object]:
    """What the operator tells the hub."""
    return alerts_demo.hub_settings()


@pytest.fixture
def towline_addon_agent() -> AddonAgent[alerts_agent.AlertsSettings]:
    """Which add-on `towline_addon` enables and runs."""
    return alerts_agent.agent


@pytest.fixture
def towline_addon_signers() -> tuple[str, ...]:
    """Whose certificates it uses."""
    return (alerts_agent.SIGNER,)


@pytest.fixture
def towline_addon_settings(receiver: alerts_demo.Receiver) -> Mapping[str, object]:
    """Where its server is."""
    return {
        "alerts_server": receiver.address,
        "alerts_ca": receiver.server_ca,
        "alerts_every": 0.1,
    }


def test_the_server_knows_the_cluster_through_a_rotation(
    towline_addon: EnabledAddon, receiver: alerts_demo.Receiver, inbox: Inbox
) -> None:
    """No restart: the next connection after a renewal shows the renewed certificate."""
    alerts_demo.mount_bundle(towline_addon.hub, receiver.bundle)
    first = inbox.wait_for(lambda alert: alert.sender == SENDER)
    assert first.text == "all is well"

    renew(towline_addon)
    inbox.wait_for(lambda alert: alert.serial != first.serial and alert.sender == SENDER)
    assert {alert.sender for alert in inbox.alerts} == {SENDER}


def test_an_authority_that_was_not_published_is_not_known(
    towline_addon: EnabledAddon,
    receiver: alerts_demo.Receiver,
    inbox: Inbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The twin that shows that the server looks: another authority's bundle, and nobody gets in."""
    receiver.bundle.write_bytes(receiver.server_ca.read_bytes())
    deadline = monotonic() + 20
    while caplog.text.count("not reported; trying again") < 3:
        assert monotonic() < deadline, caplog.text
        sleep(0.02)
    assert inbox.alerts == []
    alerts_demo.mount_bundle(towline_addon.hub, receiver.bundle)
    inbox.wait_for(lambda alert: alert.sender == SENDER)


def test_the_demonstration_runs_with_one_command() -> None:
    """What the README shows is what comes, and Ctrl-C ends it."""
    command = [sys.executable, "-u", alerts_demo.__file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:  # noqa: S603
        try:
            assert demo.stdout is not None
            said = iter(demo.stdout)
            assert "Ctrl-C ends it" in next(said)
            assert next(said).startswith(f"Alert(sender='{SENDER}'")
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=20) == 0
        finally:
            demo.kill()


def renew(addon: EnabledAddon) -> None:
    """Do what the cluster's agent does hours from now: put a renewed certificate in the Secret."""
    name = addon_client_certificate_secret(addon.name, signer=alerts_agent.SIGNER)
    secret = addon.spoke.wait_for(SECRETS, name, namespace=addon.namespace)
    held = parse_chain(from_secret_data(secret["data"])["tls.crt"])[0]
    key = generate_key()
    certificate = authority(addon.hub).issue(
        key.public_key(),
        subject=Subject(SENDER, frozenset({"alerts-agents"})),
        now=datetime.now(UTC),
        lifetime=held.not_valid_after_utc - datetime.now(UTC) + timedelta(hours=1),
    )
    files = {"tls.crt": certificate, "tls.key": format_key(key)}
    content = {"data": {**secret["data"], **to_secret_data(files)}}
    metadata = {"name": name, "namespace": addon.namespace}
    addon.spoke.apply(SECRETS, {"metadata": metadata, "type": secret["type"], **content})


def authority(hub: Administrator) -> Authority:
    """Return the authority that the hub made for the signer."""
    secret = hub.wait_for(SECRETS, "alerts-authority", namespace=HUB_NAMESPACE)
    files = {name: base64.b64decode(value) for name, value in secret["data"].items()}
    return Authority(certificate=parse_chain(files["tls.crt"])[0], key=parse_key(files["tls.key"]))
