"""The way to the hub, told in settings instead of in a kubeconfig: address, authority, token."""

import base64
import binascii

from pydantic import SecretStr

from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.errors import ConfigError
from towline_kube.connection import Connection
from towline_kube.key_pair import check_authorities
from towline_kube.server_urls import check_server

HUB_ENTRY_NAME = "hub"
"""What the hub is called in the kubeconfig kept with the credential. Agents compare it with the
bootstrap kubeconfig's, so it is the one that `towline join-command -o kubeconfig` writes."""


def told_hub(server: str, *, ca_data: str, token: SecretStr) -> Connection:
    """Return the way to the hub as a bootstrap identity.

    The authority is the only one trusted there: with none there is no connection, never one by the
    system's trust store.

    Args:
        server: URL of the hub's API server.
        ca_data: Its authorities, PEM in base64.
        token: A bootstrap token.

    Raises:
        ConfigError: One of them cannot be used; names the setting, and shows neither the authority
            nor the token.
    """
    try:
        address = check_server(server)
    except ValueError as error:
        raise ConfigError(f"hub-server: {error}") from None
    try:
        ca_pem = base64.b64decode(ca_data, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(
            "hub-ca-data: not base64; it was probably cut or wrapped on its way here"
        ) from None
    check_authorities(ca_pem, where="hub-ca-data")
    try:
        bearer = BootstrapToken.parse(token.get_secret_value()).bearer
    except ValueError as error:
        raise ConfigError(f"bootstrap-token: {error}") from None
    return Connection(
        server=address,
        ca_pem=ca_pem,
        token=bearer,
        cluster_entry_name=HUB_ENTRY_NAME,
        source="the settings hub-server, hub-ca-data and bootstrap-token",
    )
