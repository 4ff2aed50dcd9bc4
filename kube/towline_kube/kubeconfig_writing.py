"""Writing a connection down as a kubeconfig."""

import base64
from collections.abc import Mapping
from typing import Any

from towline_kube.connection import Connection
from towline_kube.yaml_text import format_yaml


def format_kubeconfig(
    connection: Connection,
    *,
    client_certificate: str = "tls.crt",
    client_key: str = "tls.key",
    token_file: str | None = None,
) -> str:
    """Return the kubeconfig that stands in a Secret beside the credential whose files it names.

    The shape is OCM's: the cluster entry keeps its name and holds server, authorities and proxy;
    the context is `default-context`, the user `default-auth`, the namespace `configuration`. An
    expected server name is kept too, since the channel would break without it.

    Args:
        connection: Server, authorities, proxy and the cluster entry's name are taken from it.
        client_certificate: File name of the certificate, relative to the kubeconfig.
        client_key: File name of the private key, relative to the kubeconfig.
        token_file: File name of a token, relative to the kubeconfig, instead of both.
    """
    user = {"client-certificate": client_certificate, "client-key": client_key}
    if token_file is not None:
        user = {"tokenFile": token_file}
    return _dump(connection, user=user, namespace="configuration")


def embed_kubeconfig(connection: Connection) -> str:
    """Return a kubeconfig with everything inside: for a person, or for one Secret key.

    The result holds private keys and tokens; it belongs in a 0600 file or a Secret.
    """
    user: dict[str, Any] = {}
    if connection.client_certificate_pem is not None:
        user["client-certificate-data"] = _base64(connection.client_certificate_pem)
    if connection.client_key_pem is not None:
        user["client-key-data"] = _base64(connection.client_key_pem)
    if connection.token is not None:
        user["token"] = connection.token
    if connection.token_file is not None:
        user["tokenFile"] = str(connection.token_file)
    if connection.exec_plugin is not None:
        user["exec"] = dict(connection.exec_plugin)
    return _dump(connection, user=user, namespace=connection.namespace)


def _dump(connection: Connection, *, user: Mapping[str, Any], namespace: str | None) -> str:
    cluster: dict[str, Any] = {"server": connection.server}
    if connection.ca_pem is not None:
        cluster["certificate-authority-data"] = _base64(connection.ca_pem)
    if connection.proxy_url is not None:
        cluster["proxy-url"] = connection.proxy_url
    if connection.tls_server_name is not None:
        cluster["tls-server-name"] = connection.tls_server_name
    context = {"cluster": connection.cluster_entry_name, "user": "default-auth"}
    if namespace is not None:
        context["namespace"] = namespace
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": connection.cluster_entry_name, "cluster": cluster}],
        "contexts": [{"name": "default-context", "context": context}],
        "current-context": "default-context",
        "users": [{"name": "default-auth", "user": dict(user)}],
    }
    return format_yaml(document)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
