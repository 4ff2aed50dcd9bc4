"""Kubeconfigs: everything kubectl reads, one clear line for everything else, and nothing leaks."""

import base64
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from support.pki import Pki
from towline_api.errors import ConfigError
from towline_kube import Connection, embed_kubeconfig, format_kubeconfig, parse_kubeconfig
from towline_kube.kubeconfig import read_kubeconfig

PKI = Pki()
CERTIFICATE, KEY = PKI.client_pair("admin")
_, OTHER_KEY = PKI.client_pair("other")
TOKEN = "07401b.f395accd246ae52d"


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def a_kubeconfig(
    *,
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    top: Mapping[str, Any] | None = None,
) -> str:
    """Return a good kubeconfig with some fields changed; None takes one out."""
    parts = {
        "cluster": {"server": "https://hub:6443", "certificate-authority-data": b64(PKI.ca_pem)},
        "user": {"client-certificate-data": b64(CERTIFICATE), "client-key-data": b64(KEY)},
        "context": {"cluster": "hub", "user": "admin", "namespace": "ns"},
    }
    for name, changes in (("cluster", cluster), ("user", user), ("context", context)):
        merged = {**parts[name], **(changes or {})}
        parts[name] = {key: value for key, value in merged.items() if value is not None}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "hub", "cluster": parts["cluster"]}],
        "users": [{"name": "admin", "user": parts["user"]}],
        "contexts": [{"name": "main", "context": parts["context"]}],
        "current-context": "main",
        **(top or {}),
    }
    return yaml.safe_dump({key: value for key, value in document.items() if value is not None})


def test_everything_of_a_good_kubeconfig_is_read() -> None:
    """The inline form, as kind, kubeadm and OCM write it."""
    text = a_kubeconfig(
        cluster={"proxy-url": "http://proxy:3128", "tls-server-name": "hub.example"},
        user={"token": TOKEN},
    )
    assert parse_kubeconfig(text, source="here") == Connection(
        server="https://hub:6443",
        ca_pem=PKI.ca_pem,
        client_certificate_pem=CERTIFICATE,
        client_key_pem=KEY,
        token=TOKEN,
        proxy_url="http://proxy:3128",
        tls_server_name="hub.example",
        cluster_entry_name="hub",
        namespace="ns",
        source="here",
    )


def test_json_with_tabs_is_read() -> None:
    """JSON is YAML, except for tabs, which YAML refuses."""
    text = json.dumps(yaml.safe_load(a_kubeconfig()), indent="\t")
    assert parse_kubeconfig(text, source="here").server == "https://hub:6443"


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    """Mounted Secrets name their certificate by a relative path."""
    (tmp_path / "tls.crt").write_bytes(CERTIFICATE)
    (tmp_path / "tls.key").write_bytes(KEY)
    (tmp_path / "ca.crt").write_bytes(b"# the hub's authority\n" + PKI.ca_pem)
    text = a_kubeconfig(
        cluster={"certificate-authority-data": None, "certificate-authority": "ca.crt"},
        user={
            "client-certificate-data": None,
            "client-key-data": None,
            "client-certificate": "tls.crt",
            "client-key": str(tmp_path / "tls.key"),
        },
    )
    found = parse_kubeconfig(text, source="here", base_dir=tmp_path)
    assert (found.client_certificate_pem, found.client_key_pem) == (CERTIFICATE, KEY)
    with pytest.raises(ConfigError, match=r"names the relative file 'ca\.crt'"):
        parse_kubeconfig(text, source="here")
    (tmp_path / "tls.crt").unlink()
    with pytest.raises(ConfigError, match=r"cannot read .*tls\.crt: No such file"):
        parse_kubeconfig(text, source="here", base_dir=tmp_path)


def test_a_token_file_wins_over_a_token() -> None:
    """As in kubectl: the file is the one that is kept fresh."""
    found = parse_kubeconfig(
        a_kubeconfig(user={"token": TOKEN, "tokenFile": "token"}),
        source="here",
        base_dir=Path("/run"),
    )
    assert found.token is None
    assert found.token_file == Path("/run/token")


def test_another_context_can_be_chosen() -> None:
    """People keep many clusters in one file."""
    document = yaml.safe_load(a_kubeconfig())
    document["contexts"].append({"name": "b", "context": {"cluster": "hub", "user": "admin"}})
    text = yaml.safe_dump(document)
    assert parse_kubeconfig(text, source="here", context="b").namespace is None
    with pytest.raises(ConfigError, match=r"context 'c' does not exist; choose one of: b, main"):
        parse_kubeconfig(text, source="here", context="c")


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "the kubeconfig is empty"),
    "blank": (" \n", "the kubeconfig is empty"),
    "no-utf8": (b"\xff\xfe", "not UTF-8"),
    "no-yaml": (f"token: [{TOKEN}", "not valid YAML (line "),
    "no-json": (f'{{"token": "{TOKEN}"', "(line 1, column"),
    "bad-date": ("a: 2026-99-99", "not valid YAML"),
    "nested": ("[" * 20_000, "not valid YAML"),
    "list": ("- a", "expected a mapping with clusters, users and contexts, found a list"),
    "text": (TOKEN, "found text"),
    "another-kind": ("kind: Secret", "expected kind Config"),
    "huge": ("#" * (5 * 1024 * 1024), "too many"),
    "no-current": (a_kubeconfig(top={"current-context": None}), "no current-context is set"),
    "current-number": (a_kubeconfig(top={"current-context": 5}), "current-context must be text"),
    "current-unknown": (
        a_kubeconfig(top={"current-context": "x"}),
        "context 'x' does not exist; choose one of: main",
    ),
    "no-clusters": (a_kubeconfig(top={"clusters": None}), "cluster 'hub' does not exist"),
    "clusters-mapping": (a_kubeconfig(top={"clusters": {"a": 1}}), "clusters must be a list"),
    "no-name": (a_kubeconfig(top={"users": [{"user": {}}]}), "users[0] has no name"),
    "user-text": (
        a_kubeconfig(top={"users": [{"name": "admin", "user": TOKEN}]}),
        "users entry 'admin': user must be a mapping, found text",
    ),
    "user-unknown": (
        a_kubeconfig(context={"user": "who"}),
        "context 'main': user 'who' does not exist; add it or use one of: admin",
    ),
    "no-user": (a_kubeconfig(context={"user": None}), "context 'main': names no user"),
    "no-cluster": (a_kubeconfig(context={"cluster": None}), "names no cluster"),
    "no-server": (a_kubeconfig(cluster={"server": None}), "cluster 'hub': names no server"),
    "http": (
        a_kubeconfig(cluster={"server": "http://hub"}),
        "must be a URL that starts with https",
    ),
    "no-scheme": (a_kubeconfig(cluster={"server": "hub:6443"}), "starts with https://"),
    "server-number": (
        a_kubeconfig(cluster={"server": 6443}),
        "server must be text, found a number",
    ),
    "bad-port": (a_kubeconfig(cluster={"server": "https://hub:x"}), "server is not a URL"),
    "bad-address": (a_kubeconfig(cluster={"server": "https://[::1"}), "server is not a URL"),
    "password-in-url": (
        a_kubeconfig(cluster={"server": f"https://u:{TOKEN}@hub"}),
        "without user, query or fragment",
    ),
    "ca-no-base64": (
        a_kubeconfig(cluster={"certificate-authority-data": "%%%"}),
        "cluster 'hub': certificate-authority-data is not base64",
    ),
    "ca-no-pem": (
        a_kubeconfig(cluster={"certificate-authority-data": b64(b"garbage")}),
        "expected at least one CA certificate as PEM",
    ),
    "ca-is-key": (
        a_kubeconfig(cluster={"certificate-authority-data": b64(KEY)}),
        "expected at least one CA certificate as PEM",
    ),
    "ca-and-insecure": (
        a_kubeconfig(cluster={"insecure-skip-tls-verify": True}),
        "has both a certificate authority and insecure-skip-tls-verify",
    ),
    "insecure-text": (
        a_kubeconfig(cluster={"insecure-skip-tls-verify": "yes"}),
        "insecure-skip-tls-verify must be true or false",
    ),
    "socks": (a_kubeconfig(cluster={"proxy-url": "socks5://p:1"}), "proxy-url must be http://"),
    "no-credential": (
        a_kubeconfig(user={"client-certificate-data": None, "client-key-data": None}),
        "user 'admin': holds no credential",
    ),
    "certificate-alone": (
        a_kubeconfig(user={"client-key-data": None}),
        "user 'admin': has a client-certificate without its client-key",
    ),
    "key-alone": (
        a_kubeconfig(user={"client-certificate-data": None}),
        "has a client-key without its client-certificate",
    ),
    "mismatch": (
        a_kubeconfig(user={"client-key-data": b64(OTHER_KEY)}),
        "the client certificate does not belong to the client key",
    ),
    "key-garbage": (
        a_kubeconfig(user={"client-key-data": b64(KEY[:100])}),
        "user 'admin': client key: ",
    ),
    "certificate-garbage": (
        a_kubeconfig(user={"client-certificate-data": b64(CERTIFICATE[:100])}),
        "expected a client certificate as PEM",
    ),
    "token-number": (
        a_kubeconfig(user={"token": 1234567890}),
        "token must be text, found a number",
    ),
    "token-wrapped": (a_kubeconfig(user={"token": f"{TOKEN}\nx"}), "cut or wrapped"),
    "basic": (a_kubeconfig(user={"username": "a", "password": TOKEN}), "basic authentication"),
    "auth-provider": (a_kubeconfig(user={"auth-provider": {"name": "gcp"}}), "exec plugin"),
    "impersonation": (a_kubeconfig(user={"as": "somebody"}), "impersonation"),
    "exec": (
        a_kubeconfig(user={"exec": {"command": "x"}}),
        "exec needs a command and an apiVersion",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_used_is_one_line_that_says_where_and_shows_nothing(name: str) -> None:
    """A kubeconfig is a secret; its errors go to logs and to issues."""
    text, said = BROKEN[name]
    with pytest.raises(ConfigError) as error:
        parse_kubeconfig(text, source="the bootstrap kubeconfig")
    message = str(error.value)
    assert message.startswith("the bootstrap kubeconfig: ")
    assert said in message
    assert message.isprintable()
    assert not message.endswith(".")
    assert TOKEN not in message
    assert b64(KEY)[60:80] not in message
    assert "PRIVATE" not in message
    # The chain of exceptions is printed as well.
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_neither_connections_nor_entries_show_secrets() -> None:
    """A repr ends up in tracebacks and debug logs."""
    text = a_kubeconfig(
        user={"token": TOKEN, "exec": None}, cluster={"proxy-url": "http://u:pw@p:1"}
    )
    shown = repr(parse_kubeconfig(text, source="here")) + repr(read_kubeconfig(text, source="here"))
    for secret in (TOKEN, "u:pw@", b64(KEY)[:40], KEY.decode()[40:60], repr(KEY)[40:60]):
        assert secret not in shown


@settings(max_examples=150)
@given(
    st.text(max_size=200)
    | st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["clusters", "users", "contexts", "current-context", "name", "cluster", "user"]
                ),
                inner,
            )
        ),
        max_leaves=15,
    ).map(json.dumps)
)
def test_no_text_breaks_the_parser(text: str | bytes) -> None:
    """Whatever somebody mounts, the answer is a ConfigError."""
    with pytest.raises(ConfigError):
        parse_kubeconfig(text, source="here")


def test_the_stored_form_is_ocms() -> None:
    """OCM's own agents read the Secret we write, and the other way round."""
    connection = parse_kubeconfig(
        a_kubeconfig(cluster={"proxy-url": "http://proxy:3128"}, user={"token": TOKEN}),
        source="here",
    )
    text = format_kubeconfig(connection)
    assert yaml.safe_load(text) == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "hub",
                "cluster": {
                    "server": "https://hub:6443",
                    "certificate-authority-data": b64(PKI.ca_pem),
                    "proxy-url": "http://proxy:3128",
                },
            }
        ],
        "contexts": [
            {
                "name": "default-context",
                "context": {
                    "cluster": "hub",
                    "user": "default-auth",
                    "namespace": "configuration",
                },
            }
        ],
        "current-context": "default-context",
        "users": [
            {
                "name": "default-auth",
                "user": {"client-certificate": "tls.crt", "client-key": "tls.key"},
            }
        ],
    }
    assert TOKEN not in text


def test_the_stored_form_is_read_back(tmp_path: Path) -> None:
    """What a restart finds is what was in use before it."""
    connection = parse_kubeconfig(a_kubeconfig(), source="here")
    (tmp_path / "tls.crt").write_bytes(CERTIFICATE)
    (tmp_path / "tls.key").write_bytes(KEY)
    again = parse_kubeconfig(format_kubeconfig(connection), source="here", base_dir=tmp_path)
    assert again == dataclasses.replace(connection, namespace="configuration")


def test_the_embedded_form_is_read_back_without_files() -> None:
    """One text to hand to a person or to put under one key of a Secret."""
    for user in ({}, {"token": TOKEN}, {"exec": {"command": "x", "apiVersion": "v1"}}):
        connection = parse_kubeconfig(
            a_kubeconfig(user=user, cluster={"tls-server-name": "n"}), source="here"
        )
        assert parse_kubeconfig(embed_kubeconfig(connection), source="here") == connection
