"""The whole example on this machine: `python alerts_demo.py`. Ends with Ctrl-C."""

import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import alerts_agent
import yaml
from alerts_server import Alert, AlertsServer
from anyio.from_thread import BlockingPortal, start_blocking_portal

from towline_api.names import HUB_NAMESPACE
from towline_api.resources import CONFIG_MAPS
from towline_certs import create_authority, format_key, generate_key
from towline_certs.authority import SERVER_ONLY
from towline_certs.identities import Subject
from towline_kube import LogFormat, LogLevel, configure_logging
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.testing import Administrator
from towline_sandbox.testing.pair import enabled_addon, joined_pair

HUB_SETTINGS = Path(__file__).with_name("hub-settings.yaml")
BUNDLE = "alerts-authority-bundle"


def hub_settings() -> dict[str, object]:
    """Return what the operator tells the hub."""
    settings: dict[str, object] = yaml.safe_load(HUB_SETTINGS.read_text(encoding="utf-8"))
    return {key.replace("-", "_"): value for key, value in settings.items()}


@dataclass(frozen=True, slots=True)
class Receiver:
    """A server that runs, and what the add-on has to know of it."""

    address: str
    server_ca: Path
    bundle: Path
    """File with the authorities it accepts; a pod would mount the hub's ConfigMap there."""


@asynccontextmanager
async def receiver(folder: Path, *, on_alert: Callable[[Alert], None]) -> AsyncIterator[Receiver]:
    """Run the server at a free port, with a certificate made for it."""
    now = datetime.now(UTC)
    own = create_authority("alerts server", now=now, lifetime=timedelta(days=1))
    key = generate_key()
    certificate = own.issue(
        key.public_key(),
        subject=Subject("alerts server", frozenset()),
        now=now,
        lifetime=timedelta(hours=1),
        dns_names=("localhost",),
        usages=SERVER_ONLY,
    )
    pair = folder / "server.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(certificate + format_key(key))
    (folder / "ca.crt").write_bytes(own.certificate_pem)
    server = AlertsServer(pair, folder / "ca-bundle.crt", on_alert=on_alert)
    async with server.serving(host="localhost", port=0) as port:
        yield Receiver(f"localhost:{port}", folder / "ca.crt", folder / "ca-bundle.crt")


def mount_bundle(hub: Administrator, bundle: Path) -> None:
    """Put what the hub publishes where the server reads it."""
    found = hub.wait_for(CONFIG_MAPS, BUNDLE, namespace=HUB_NAMESPACE)
    bundle.write_text(found["data"]["ca-bundle.crt"], encoding="utf-8")


@contextmanager
def everything(portal: BlockingPortal, folder: Path) -> Iterator[None]:
    """Run a hub, a managed cluster that has joined it, the server and the add-on."""
    with (
        EmbeddedPlane("hub") as hub_plane,
        EmbeddedPlane("spoke") as spoke_plane,
        portal.wrap_async_context_manager(receiver(folder, on_alert=print)) as running,
        portal.wrap_async_context_manager(
            joined_pair(
                portal,
                hub_plane,
                spoke_plane,
                folder=folder,
                addons=[alerts_agent.agent.name],
                hub_settings=hub_settings(),
            )
        ) as pair,
    ):
        mount_bundle(pair.hub, running.bundle)
        enabling = enabled_addon(
            pair,
            alerts_agent.agent,
            folder=folder,
            signers=[alerts_agent.SIGNER],
            settings={"alerts_server": running.address, "alerts_ca": running.server_ca},
        )
        with portal.wrap_async_context_manager(enabling):
            yield


def main() -> None:
    """Run it until it is interrupted."""
    configure_logging(LogFormat.CONSOLE, LogLevel.WARNING)
    with tempfile.TemporaryDirectory() as folder, start_blocking_portal() as portal:
        try:
            with everything(portal, Path(folder)):
                print("the add-on reports every few seconds; Ctrl-C ends it")  # noqa: T201
                threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
