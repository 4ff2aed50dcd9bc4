"""TLS settings: whom they trust, and what becomes of the key on its way in."""

import dataclasses
import os
import ssl
from pathlib import Path

import pytest

from support.pki import Pki
from towline_api.errors import ConfigError
from towline_kube import Connection
from towline_kube.memory_files import named_content
from towline_kube.tls import ssl_context

PKI, OTHER = Pki("one"), Pki("other")
CERTIFICATE, KEY = PKI.client_pair("agent")
CONNECTION = Connection(
    "https://hub",
    ca_pem=PKI.ca_pem,
    client_certificate_pem=CERTIFICATE,
    client_key_pem=KEY,
    source="here",
)


def test_pinned_authorities_are_the_only_ones() -> None:
    """The system's trust store would let any public authority speak for the hub."""
    assert ssl_context(CONNECTION).cert_store_stats()["x509"] == 1
    both = dataclasses.replace(CONNECTION, ca_pem=b"old and new\n" + PKI.ca_pem + OTHER.ca_pem)
    context = ssl_context(both)
    assert context.cert_store_stats()["x509"] == 2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ca_pem": b""}, "here: certificate authority: expected at least one CA certificate"),
        ({"ca_pem": b"garbage"}, "here: certificate authority: expected"),
        ({"client_key_pem": None}, "here: the client key is missing"),
        ({"client_certificate_pem": None}, "here: the client certificate is missing"),
        ({"client_key_pem": OTHER.client_pair("x")[1]}, "here: the client certificate does not"),
        ({"client_key_pem": b"garbage"}, "here: client key: "),
        ({"insecure_skip_tls_verify": True}, "here: has both a certificate authority and"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_source(
    change: dict[str, object], said: str
) -> None:
    """OpenSSL's own words name neither the file nor the cure."""
    with pytest.raises(ConfigError) as error:
        ssl_context(dataclasses.replace(CONNECTION, **change))  # type: ignore[arg-type]
    assert str(error.value).startswith(said)


def test_an_encrypted_key_does_not_ask_the_terminal() -> None:
    """A daemon that waits for a passphrase looks like one that hangs."""
    encrypted = KEY.replace(
        b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\n", 1
    )
    with pytest.raises(ConfigError, match="encrypted"):
        ssl_context(dataclasses.replace(CONNECTION, client_key_pem=encrypted))


def test_without_memory_files_the_key_is_in_a_private_place_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MacOS has no memory files; there the file must be nobody else's, and gone at once."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delattr(os, "memfd_create")
    with named_content(b"key") as name:
        file = Path(name)
        assert file.read_bytes() == b"key"
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    ssl_context(CONNECTION)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
