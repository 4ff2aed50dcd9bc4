"""Reading kubeconfigs: which connection one describes.

Reading follows kubectl, with two differences: what towline cannot honour (basic authentication,
impersonation, plain http) is refused instead of passed over, and no error ever shows what the file
contains.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from towline_api.errors import ConfigError
from towline_kube.connection import Connection
from towline_kube.key_pair import check_authorities, check_key_pair
from towline_kube.kubeconfig_entries import Entry, json_kind, parse_document, parse_entries
from towline_kube.server_urls import check_server

_UNSUPPORTED_USER_FIELDS = {
    "username": "basic authentication, which Kubernetes dropped in 1.19",
    "password": "basic authentication, which Kubernetes dropped in 1.19",
    "auth-provider": "auth providers, which Kubernetes dropped in 1.26; use an exec plugin",
    "as": "impersonation; use a credential of that user",
    "as-uid": "impersonation; use a credential of that user",
    "as-groups": "impersonation; use a credential of that user",
    "as-user-extra": "impersonation; use a credential of that user",
}


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The named entries of one kubeconfig, or of several merged ones, not yet judged.

    Args:
        source: Where it was read, for messages.
        clusters: Entries by name.
        users: Entries by name.
        contexts: Entries by name.
        current_context: Name of the context in use; empty if none is set.
    """

    source: str
    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]
    contexts: Mapping[str, Entry]
    current_context: str

    def merged_with(self, other: "Kubeconfig") -> "Kubeconfig":
        """Return both as one; where they disagree this one wins, as in a KUBECONFIG list."""
        return Kubeconfig(
            source=f"{self.source}:{other.source}",
            clusters={**other.clusters, **self.clusters},
            users={**other.users, **self.users},
            contexts={**other.contexts, **self.contexts},
            current_context=self.current_context or other.current_context,
        )

    def connection(self, context: str | None = None) -> Connection:
        """Return the connection of a context, by default of the current one.

        Raises:
            ConfigError: The context is incomplete or one of its parts cannot be used.
        """
        name = context or self.current_context
        if not name:
            raise ConfigError(
                f"{self.source}: no current-context is set; set one "
                f"({_known(self.contexts)}) with 'kubectl config use-context'"
            )
        chosen = self.contexts.get(name)
        if chosen is None:
            raise ConfigError(
                f"{self.source}: context {name!r} does not exist; choose one of: "
                f"{_known(self.contexts)}"
            )
        cluster = self._referenced(chosen, "cluster", self.clusters)
        user = self._referenced(chosen, "user", self.users)
        return _connection(chosen, cluster, user, self.source)

    def _referenced(
        self, context: Entry, key: str, entries: Mapping[str, Entry]
    ) -> tuple[str, Entry]:
        name = context.text(key)
        if name is None:
            raise ConfigError(f"{context.where}: names no {key}; add one of: {_known(entries)}")
        entry = entries.get(name)
        if entry is None:
            raise ConfigError(
                f"{context.where}: {key} {name!r} does not exist; add it or use one of: "
                f"{_known(entries)}"
            )
        return name, entry


def parse_kubeconfig(
    text: str | bytes, *, source: str, base_dir: Path | None = None, context: str | None = None
) -> Connection:
    """Return the connection a kubeconfig describes.

    Files it names are read here and now, except a token file, which the client reads every minute.

    Args:
        text: The kubeconfig: YAML or JSON.
        source: Where the text comes from, for messages.
        base_dir: Folder that relative file names start from; None if there is none.
        context: Name of the context to use instead of the current one.

    Raises:
        ConfigError: One line that names source, entry and cure, and shows no content.
    """
    return read_kubeconfig(text, source=source, base_dir=base_dir).connection(context)


def read_kubeconfig(text: str | bytes, *, source: str, base_dir: Path | None = None) -> Kubeconfig:
    """Return a kubeconfig's entries without choosing a context.

    Raises:
        ConfigError: The text is no kubeconfig.
    """
    document = parse_document(text, source=source)
    current = document.get("current-context") or ""
    if not isinstance(current, str):
        raise ConfigError(f"{source}: current-context must be text, found {json_kind(current)}")

    def entries(section: str, key: str) -> dict[str, Entry]:
        return parse_entries(document, section, key, source=source, base_dir=base_dir)

    return Kubeconfig(
        source=source,
        clusters=entries("clusters", "cluster"),
        users=entries("users", "user"),
        contexts=entries("contexts", "context"),
        current_context=current,
    )


def _connection(
    context: Entry, cluster: tuple[str, Entry], user: tuple[str, Entry], source: str
) -> Connection:
    cluster_name, place = cluster
    _, who = user
    ca_pem = place.content("certificate-authority")
    insecure = place.flag("insecure-skip-tls-verify")
    if insecure and ca_pem is not None:
        raise ConfigError(
            f"{place.where}: has both a certificate authority and insecure-skip-tls-verify; "
            "remove insecure-skip-tls-verify"
        )
    if ca_pem is not None:
        check_authorities(ca_pem, where=f"{place.where}: certificate-authority")
    for key, what in _UNSUPPORTED_USER_FIELDS.items():
        if who.fields.get(key):
            raise ConfigError(f"{who.where}: {key} asks for {what}")
    certificate, private_key = _client_pair(who)
    token, token_file, plugin = who.text("token"), who.path("tokenFile"), who.fields.get("exec")
    if plugin is not None:
        _check_plugin(plugin, where=who.where)
    if certificate is None and token is None and token_file is None and plugin is None:
        raise ConfigError(
            f"{who.where}: holds no credential; add client-certificate and client-key, token, "
            "tokenFile or exec"
        )
    return Connection(
        server=_server(place),
        ca_pem=ca_pem,
        client_certificate_pem=certificate,
        client_key_pem=private_key,
        # Between the two, kubectl takes the file, which is the fresher one.
        token=_token(token, where=who.where) if token_file is None else None,
        token_file=token_file,
        exec_plugin=plugin,
        proxy_url=_proxy(place),
        tls_server_name=place.text("tls-server-name"),
        insecure_skip_tls_verify=insecure,
        cluster_entry_name=cluster_name,
        namespace=context.text("namespace"),
        source=source,
    )


def _client_pair(who: Entry) -> tuple[bytes | None, bytes | None]:
    certificate, key = who.content("client-certificate"), who.content("client-key")
    if certificate is not None and key is None:
        raise ConfigError(f"{who.where}: has a client-certificate without its client-key; add it")
    if key is not None and certificate is None:
        raise ConfigError(f"{who.where}: has a client-key without its client-certificate; add it")
    if certificate is not None and key is not None:
        check_key_pair(certificate, key, where=who.where)
    return certificate, key


def _token(token: str | None, *, where: str) -> str | None:
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError(
            f"{where}: token holds characters that no token has; it was probably cut or wrapped"
        )
    return token


def _check_plugin(plugin: Any, *, where: str) -> None:
    command = plugin.get("command") if isinstance(plugin, dict) else None
    version = plugin.get("apiVersion") if isinstance(plugin, dict) else None
    if not isinstance(command, str) or not isinstance(version, str):
        raise ConfigError(f"{where}: exec needs a command and an apiVersion")


def _server(place: Entry) -> str:
    server = place.text("server")
    if server is None:
        raise ConfigError(f"{place.where}: names no server; add for example https://host:6443")
    try:
        return check_server(server)
    except ValueError as error:
        raise ConfigError(f"{place.where}: {error}") from None


def _proxy(place: Entry) -> str | None:
    proxy = place.text("proxy-url")
    if proxy is None:
        return None
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{place.where}: proxy-url must be http://host:port or https://host:port")
    return proxy


def _known(entries: Mapping[str, Entry]) -> str:
    return ", ".join(sorted(entries)) if entries else "there are none"
