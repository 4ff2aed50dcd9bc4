"""What a person carries to the managed cluster: one line, a kubeconfig or a Secret. Pure.

Each of them holds a bootstrap token.
"""

import base64
import shlex

from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.errors import ConfigError
from towline_api.names import AGENT_NAMESPACE, BOOTSTRAP_SECRET, KUBECONFIG_KEY
from towline_api.resources import SECRETS
from towline_hub.joining.hub_address import HubAddress
from towline_kube.connection import Connection
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_kube.yaml_text import format_yaml

HUB_ENTRY_NAME = "hub"
"""What the kubeconfig's cluster entry is called. Agents compare it, so it never changes."""


def check_fits_a_line(address: HubAddress) -> None:
    """Make sure that the hub can be reached without a kubeconfig.

    Raises:
        ConfigError: It cannot.
    """
    if address.tls_server_name is not None:
        raise ConfigError(
            f"the hub is known by another name than its address ({address.tls_server_name}), which "
            "one line cannot say; use -o kubeconfig or -o secret"
        )


def join_line(address: HubAddress, token: BootstrapToken, *, cluster: str | None) -> str:
    """Return the one line to run at the managed cluster.

    Args:
        address: Where the hub is.
        token: What to come in with.
        cluster: Name of the cluster; None leaves it to the agent.

    Raises:
        ConfigError: The hub can only be reached in a way that takes a kubeconfig.
    """
    check_fits_a_line(address)
    words = ["towline", "agent", "run"]
    if cluster is not None:
        words += ["--cluster-name", cluster]
    words += [
        *("--hub-server", address.server),
        *("--hub-ca-data", base64.b64encode(address.ca_pem).decode("ascii")),
        *("--bootstrap-token", token.bearer),
    ]
    return shlex.join(words)


def join_kubeconfig(address: HubAddress, token: BootstrapToken) -> str:
    """Return the bootstrap kubeconfig."""
    return embed_kubeconfig(
        Connection(
            server=address.server,
            ca_pem=address.ca_pem,
            token=token.bearer,
            tls_server_name=address.tls_server_name,
            cluster_entry_name=HUB_ENTRY_NAME,
        )
    )


def join_secret(address: HubAddress, token: BootstrapToken) -> str:
    """Return the Secret that agents read the bootstrap kubeconfig from, as YAML."""
    return format_yaml(
        {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {"name": BOOTSTRAP_SECRET, "namespace": AGENT_NAMESPACE},
            "type": "Opaque",
            "stringData": {KUBECONFIG_KEY: join_kubeconfig(address, token)},
        }
    )
