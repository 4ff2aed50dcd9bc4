"""Kubeconfigs: the file format that carries a connection.

Reading follows kubectl, with two differences: what towline cannot honour (basic authentication,
impersonation, plain http) is refused instead of passed over, and no error ever shows what the file
contains.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from towline_api.errors import ConfigError
from towline_kube.connection import Connection
from towline_kube.key_pair import check_authorities, check_key_pair

_LARGEST_BYTES = 4 * 1024 * 1024
"""Far above any kubeconfig (a thousand clusters), far below what hurts to parse."""

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
class _Entry:
    """One named entry, and the file it stands in: relative paths start there."""

    fields: Mapping[str, Any] = field(repr=False)
    source: str
    base_dir: Path | None
    what: str

    @property
    def where(self) -> str:
        return f"{self.source}: {self.what}"

    def text(self, key: str) -> str | None:
        """Return a text field; None if it is absent or empty, which kubectl takes for the same."""
        value = self.fields.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise ConfigError(
                f"{self.where}: {key} must be text, found {_kind(value)}; put it in quotes"
            )
        return value

    def flag(self, key: str) -> bool:
        value = self.fields.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise ConfigError(f"{self.where}: {key} must be true or false, found {_kind(value)}")
        return value

    def path(self, key: str) -> Path | None:
        """Return a file name resolved against the kubeconfig's folder."""
        name = self.text(key)
        if name is None:
            return None
        path = Path(name)
        if path.is_absolute():
            return path
        if self.base_dir is None:
            raise ConfigError(
                f"{self.where}: {key} names the relative file {name!r}, and this kubeconfig is "
                f"not in a folder; use an absolute path or {key}-data"
            )
        return self.base_dir / path

    def content(self, key: str) -> bytes | None:
        """Return what `<key>-data` holds, or the file that `<key>` names holds; data wins."""
        data = self.text(f"{key}-data")
        if data is not None:
            try:
                # kubectl passes over line breaks inside, and nothing else.
                return base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError):
                raise ConfigError(
                    f"{self.where}: {key}-data is not base64; encode it again, for example with "
                    "'base64 -w0'"
                ) from None
        path = self.path(key)
        return None if path is None else _read(path, where=f"{self.where}: {key}")


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
    clusters: Mapping[str, _Entry]
    users: Mapping[str, _Entry]
    contexts: Mapping[str, _Entry]
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
        self, context: _Entry, key: str, entries: Mapping[str, _Entry]
    ) -> tuple[str, _Entry]:
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
    document = _load_document(text, source=source)
    current = document.get("current-context") or ""
    if not isinstance(current, str):
        raise ConfigError(f"{source}: current-context must be text, found {_kind(current)}")

    def entries(section: str, key: str) -> dict[str, _Entry]:
        return _entries(document, section, key, source=source, base_dir=base_dir)

    return Kubeconfig(
        source=source,
        clusters=entries("clusters", "cluster"),
        users=entries("users", "user"),
        contexts=entries("contexts", "context"),
        current_context=current,
    )


def format_kubeconfig(
    connection: Connection, *, client_certificate: str = "tls.crt", client_key: str = "tls.key"
) -> str:
    """Return the kubeconfig that stands in a Secret beside the certificate and the key it names.

    The shape is OCM's: the cluster entry keeps its name and holds server, authorities and proxy;
    the context is `default-context`, the user `default-auth`, the namespace `configuration`. An
    expected server name is kept too, since the channel would break without it.

    Args:
        connection: Server, authorities, proxy and the cluster entry's name are taken from it.
        client_certificate: File name of the certificate, relative to the kubeconfig.
        client_key: File name of the private key, relative to the kubeconfig.
    """
    user = {"client-certificate": client_certificate, "client-key": client_key}
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
    return yaml.safe_dump(document, sort_keys=False)


def _load_document(text: str | bytes, *, source: str) -> dict[str, Any]:
    if len(text) > _LARGEST_BYTES:
        raise ConfigError(f"{source}: {len(text)} bytes are too many for a kubeconfig")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"{source}: not a kubeconfig: it is not UTF-8 text") from None
    if not text.strip():
        raise ConfigError(f"{source}: the kubeconfig is empty; put the cluster's kubeconfig there")
    try:
        # Tabs are fine in JSON and not in YAML, so JSON is not left to the YAML parser.
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The parser's own message quotes the line, and the line may be a token.
        raise ConfigError(
            f"{source}: not a kubeconfig: it is not valid YAML{_position(error)}"
        ) from None
    if not isinstance(document, dict):
        raise ConfigError(
            f"{source}: not a kubeconfig: expected a mapping with clusters, users and contexts, "
            f"found {_kind(document)}"
        )
    kind = document.get("kind", "Config")
    if kind != "Config":
        raise ConfigError(
            f"{source}: not a kubeconfig: expected kind Config, found another kind of object"
        )
    return document


def _position(error: BaseException) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" or JSON (line {error.lineno}, column {error.colno})"
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""


def _entries(
    document: Mapping[str, Any], section: str, key: str, *, source: str, base_dir: Path | None
) -> dict[str, _Entry]:
    items = document.get(section) or []
    if not isinstance(items, list):
        raise ConfigError(f"{source}: {section} must be a list, found {_kind(items)}")
    entries: dict[str, _Entry] = {}
    for position, item in enumerate(items):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{source}: {section}[{position}] has no name")
        fields = item.get(key) or {}
        if not isinstance(fields, dict):
            raise ConfigError(
                f"{source}: {section} entry {name!r}: {key} must be a mapping, "
                f"found {_kind(fields)}"
            )
        # The first of two entries with one name counts, as in kubectl.
        entries.setdefault(name, _Entry(fields, source, base_dir, f"{key} {name!r}"))
    return entries


def _connection(
    context: _Entry, cluster: tuple[str, _Entry], user: tuple[str, _Entry], source: str
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


def _client_pair(who: _Entry) -> tuple[bytes | None, bytes | None]:
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


def _server(place: _Entry) -> str:
    server = place.text("server")
    if server is None:
        raise ConfigError(f"{place.where}: names no server; add for example https://host:6443")
    try:
        parts = urlsplit(server)
        _ = parts.port  # parsed on access
    except ValueError:
        raise ConfigError(f"{place.where}: server is not a URL; write https://host:port") from None
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigError(
            f"{place.where}: server must be a URL that starts with https://; "
            "credentials are not sent over anything else"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"{place.where}: server must be https://host:port or https://host:port/path, "
            "without user, query or fragment"
        )
    return server.rstrip("/")


def _proxy(place: _Entry) -> str | None:
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


def _read(path: Path, *, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from None


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _kind(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return "something else"


def _known(entries: Mapping[str, _Entry]) -> str:
    return ", ".join(sorted(entries)) if entries else "there are none"
