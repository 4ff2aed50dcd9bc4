"""Where an API server is, whom to trust there, and who we are: one value, read from anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything needed to call one API server under one identity.

    Args:
        server: Base URL; always https, may have a path (`https://host/k8s/clusters/c1`).
        ca_pem: The only authorities to trust; None means the system's trust store, as for kubectl.
        client_certificate_pem: Client certificate, followed by its intermediates if there are any.
        client_key_pem: Its private key.
        token: Bearer token.
        token_file: File with a bearer token that somebody else keeps fresh; read every minute.
        exec_plugin: The kubeconfig's `exec` stanza: a command that prints a token.
        proxy_url: HTTP proxy to go through; None means what the environment says, as for kubectl.
        tls_server_name: Name to expect in the server's certificate instead of the URL's host.
        insecure_skip_tls_verify: Whoever answers is believed. Only ever from a person's kubeconfig.
        cluster_entry_name: Name of the `clusters` entry this came from.
        namespace: Namespace of the context, if it names one.
        source: Where this was read, for messages.
    """

    server: str
    ca_pem: bytes | None = field(default=None, repr=False)
    client_certificate_pem: bytes | None = field(default=None, repr=False)
    client_key_pem: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    # Its environment often holds credentials, so it stays out of the repr like them.
    exec_plugin: Mapping[str, Any] | None = field(default=None, repr=False)
    proxy_url: str | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool = False
    cluster_entry_name: str = "cluster"
    namespace: str | None = None
    source: str = "code"

    @property
    def host(self) -> str:
        """Host and port of the server, as messages name it."""
        return urlsplit(self.server).netloc.rpartition("@")[2] or self.server
