"""Where the webhook is: what it listens on, and how the API server is told to get there. Pure."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from towline_api.crds import service_conversion, url_conversion
from towline_api.resources import KubeObject
from towline_hub.deploying.deployment import APP
from towline_hub.webhook.settings import PATH, PORT, WebhookSettings
from towline_kube.server_urls import is_loopback

SERVICE = f"{APP}-webhook"
"""The Service in front of the replicas of a hub that runs in pods."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class BehindService:
    """The webhook of a hub in pods.

    Args:
        namespace: Of the hub and its Service.
        host: What each replica listens on; None for every address.
        port: The same.
    """

    namespace: str
    host: str | None = None
    port: int = PORT


@dataclass(frozen=True, slots=True)
class AtUrl:
    """The webhook of a hub outside the hub cluster, where its operator says it is.

    Args:
        url: Where the API server reaches it.
        host: What it listens on; None for every address.
        port: The same.
    """

    url: str
    host: str | None = None
    port: int = PORT


@dataclass(frozen=True, slots=True)
class OnThisMachine:
    """The webhook of a hub beside its API server, for as long as this one process runs.

    Args:
        host: What it listens on.
        port: The same; None for any that is free.
    """

    host: str = LOOPBACK
    port: int | None = None


Address = BehindService | AtUrl | OnThisMachine


@dataclass(frozen=True, slots=True)
class NoAddress:
    """There is no webhook.

    Args:
        reason: Why, and what would change it; for a person.
    """

    reason: str


def find_address(
    settings: WebhookSettings, *, namespace: str, is_pod: bool, api_server: str
) -> Address | NoAddress:
    """Return where the webhook of a hub is to be.

    Args:
        settings: What the operator chose.
        namespace: The hub's own.
        is_pod: Whether this process runs in a pod of the hub cluster.
        api_server: URL of the API server, as this process reaches it.
    """
    host, port = settings.webhook_host, settings.webhook_port
    if not settings.webhook:
        return NoAddress("the settings say so: the webhook is off (--no-webhook)")
    if settings.webhook_url is not None:
        return AtUrl(settings.webhook_url, host, port or PORT)
    if is_pod:
        return BehindService(namespace, host, port or PORT)
    if is_loopback(api_server):
        return OnThisMachine(host or LOOPBACK, port)
    return NoAddress(
        "this is no pod of the hub cluster, and its API server is on another machine; give "
        f"--webhook-url https://<name or address of this machine>:{port or PORT}{PATH}"
    )


def server_names(address: Address) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the DNS names and the IP addresses that a certificate has to hold there."""
    match address:
        case BehindService(namespace=namespace):
            # The first is what API servers expect; the others are for people who look.
            return (
                tuple(
                    f"{SERVICE}.{namespace}{rest}" for rest in (".svc", ".svc.cluster.local", "")
                ),
                (),
            )
        case AtUrl(url=url):
            return _named(urlsplit(url).hostname or "")
        case OnThisMachine(host=host):
            return _named(host)


def conversion_at(address: Address, *, port: int, ca_pem: bytes) -> KubeObject:
    """Return the `spec.conversion` of a CRD that has its objects converted there.

    Args:
        address: Where the webhook is.
        port: What it listens on, which tells the URL of one on this machine.
        ca_pem: Authorities of its certificate.
    """
    match address:
        case BehindService(namespace=namespace):
            return service_conversion(SERVICE, namespace=namespace, path=PATH, ca_pem=ca_pem)
        case AtUrl(url=url):
            return url_conversion(url, ca_pem=ca_pem)
        case OnThisMachine(host=host):
            shown = f"[{host}]" if ":" in host else host
            return url_conversion(f"https://{shown}:{port}{PATH}", ca_pem=ca_pem)


def _named(host: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        return (), (str(ipaddress.ip_address(host)),)
    except ValueError:
        return (host,), ()
