"""Where a managed cluster finds this hub, and by which authority it is to know it.

The authority is pinned: an agent trusts it and nothing else, so one that does not sign the hub's
certificate would keep every cluster out, and one that came over an unverified connection could be
anybody's.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from towline_api.errors import ConfigError, TowlineError
from towline_api.resources import CONFIG_MAPS
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.errors import ApiError, UntrustedServer
from towline_kube.key_pair import check_authorities
from towline_kube.kubeconfig import read_kubeconfig
from towline_kube.server_urls import is_loopback

ROOT_CA = "kube-root-ca.crt"
"""ConfigMap that kube-controller-manager puts into every namespace."""
CLUSTER_INFO = "cluster-info"
"""ConfigMap with which kubeadm tells newcomers about a cluster."""
PUBLIC_NAMESPACE = "kube-public"


@dataclass(frozen=True, slots=True)
class HubAddress:
    """How a managed cluster reaches the hub.

    Args:
        server: Base URL.
        ca_pem: The only authorities to trust there.
        tls_server_name: Name to expect in the hub's certificate instead of the URL's host.
        warnings: What a person should know of it, one line each.
    """

    server: str
    ca_pem: bytes
    tls_server_name: str | None = None
    warnings: tuple[str, ...] = ()


async def find_hub_address(
    client: Client, *, server: str | None = None, ca_file: Path | None = None
) -> HubAddress:
    """Return how a managed cluster reaches the hub that a client talks to.

    Args:
        client: The operator's client.
        server: URL to use instead of the client's own.
        ca_file: PEM file of the authorities to trust instead of the client's own.

    Raises:
        ConfigError: The hub's authority is not known for certain, or does not sign its certificate.
    """
    connection = client.connection
    where = server or connection.server
    ca_pem = await _authority(client, ca_file)
    # A name to expect belongs to the address it was written beside.
    name = connection.tls_server_name if where == connection.server else None
    address = HubAddress(where, ca_pem, name)
    warnings = []
    if is_loopback(where):
        warnings.append(
            f"{where} is this machine's own address, which no other machine reaches; name the "
            "hub's with --server unless the managed cluster is here as well"
        )
    if (where, ca_pem) != (connection.server, connection.ca_pem):
        warnings += await _check(address, connection)
    return dataclasses.replace(address, warnings=tuple(warnings))


async def _authority(client: Client, ca_file: Path | None) -> bytes:
    connection = client.connection
    if ca_file is not None:
        return _read(ca_file)
    if connection.ca_pem is not None:
        return connection.ca_pem
    if connection.insecure_skip_tls_verify:
        raise ConfigError(
            f"{connection.source} does not verify the hub (insecure-skip-tls-verify), so what it "
            "answers proves nothing about its authority; use a kubeconfig with its "
            "certificate-authority, or name the authority with --ca-file"
        )
    # The operator's machine trusts the hub by its system's store, which is not the spoke's.
    found = await _published_root(client) or await _published_cluster_info(client)
    if found is None:
        raise ConfigError(
            f"{connection.source} names no certificate-authority, and the hub publishes none in "
            f"{PUBLIC_NAMESPACE}/{ROOT_CA} or {PUBLIC_NAMESPACE}/{CLUSTER_INFO}; name it with "
            "--ca-file"
        )
    return found


def _read(ca_file: Path) -> bytes:
    try:
        ca_pem = ca_file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {ca_file}: {error.strerror}") from None
    return _checked(ca_pem, where=str(ca_file))


async def _published_root(client: Client) -> bytes | None:
    data = await _public_data(client, ROOT_CA)
    text = data.get("ca.crt")
    return None if not text else _checked(text.encode(), where=f"{PUBLIC_NAMESPACE}/{ROOT_CA}")


async def _published_cluster_info(client: Client) -> bytes | None:
    text = (await _public_data(client, CLUSTER_INFO)).get("kubeconfig")
    if not text:
        return None
    source = f"{PUBLIC_NAMESPACE}/{CLUSTER_INFO}"
    # It names a cluster and, as it is for newcomers, no user.
    clusters = read_kubeconfig(text, source=source).clusters.values()
    for cluster in clusters:
        ca_pem = cluster.content("certificate-authority")
        if ca_pem is not None:
            return _checked(ca_pem, where=source)
    return None


async def _public_data(client: Client, name: str) -> dict[str, str]:
    try:
        found = await client.find(CONFIG_MAPS, name, namespace=PUBLIC_NAMESPACE)
    except ApiError as error:
        raise ConfigError(
            f"the hub's authority cannot be read from {PUBLIC_NAMESPACE}/{name} ({error}); name it "
            "with --ca-file"
        ) from error
    return dict((found or {}).get("data") or {})


def _checked(ca_pem: bytes, *, where: str) -> bytes:
    check_authorities(ca_pem, where=where)
    return ca_pem


async def _check(address: HubAddress, connection: Connection) -> list[str]:
    """Look whether the hub's certificate is signed by whom the agent will trust.

    Raises:
        ConfigError: It is not.
    """
    probe = Connection(
        server=address.server,
        ca_pem=address.ca_pem,
        proxy_url=connection.proxy_url,
        tls_server_name=address.tls_server_name,
        source="the join command",
    )
    try:
        async with Client(probe, field_manager="towline-cli") as client:
            await client.server_version()
    except UntrustedServer as error:
        raise ConfigError(
            f"the certificate of {address.server} is not signed by the authority that the agent "
            f"would trust ({error}); name the right one with --ca-file"
        ) from error
    except ApiError as error:
        # Any answer proves the certificate; none proves nothing.
        if error.status == 0:
            return [_unchecked(address, error)]
    except TowlineError as error:
        return [_unchecked(address, error)]
    return []


def _unchecked(address: HubAddress, error: TowlineError) -> str:
    return f"the certificate of {address.server} could not be checked from here: {error}"
