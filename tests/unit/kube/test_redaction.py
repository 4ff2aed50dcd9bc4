"""Keys and tokens are taken out of foreign text, whatever stands around them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_certs.keys import KeyKind, format_key, generate_key
from towline_kube.redaction import REDACTED, quotable, redact

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize("kind", [KeyKind.ECDSA_P256, KeyKind.RSA_2048, KeyKind.ED25519])
def test_private_keys_are_taken_out_whole_cut_and_encoded(kind: KeyKind) -> None:
    """A log line is often cut, and kubeconfigs hold keys in base64."""
    pem = format_key(generate_key(kind)).decode()
    secret = pem.splitlines()[2][:20]
    encoded = base64.b64encode(pem.encode()).decode()
    for text in (f"before {pem} after", f"before {pem[:120]}", f"key: {encoded} after"):
        clean = redact(text)
        assert secret not in clean
        assert encoded[60:90] not in clean
        assert REDACTED in clean
    assert redact(f"before {pem} after").endswith("after")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {JWT}", JWT),
        (f'{{"token":"{JWT}"}}', JWT),
        ("authorization: bearer abcdefgh1234", "abcdefgh1234"),
        ("Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("token 07401b.f395accd246ae52d expired", "f395accd246ae52d"),
        ("proxy http://user:hunter2@proxy:3128/ failed", "hunter2"),
    ],
)
def test_tokens_are_taken_out(text: str, secret: str) -> None:
    """What authenticates must not be copied from a log into an issue."""
    assert secret not in redact(text)
    assert REDACTED in redact(text)


def test_what_is_no_secret_stays() -> None:
    """Certificates, digests and names are what somebody looks for."""
    text = (
        'leases.coordination.k8s.io "managed-cluster-lease" is forbidden: User '
        '"system:open-cluster-management:c1:abcde" cannot get; sha256 '
        + "0123456789abcdef" * 4
        + " https://10.0.0.1:6443/apis -----BEGIN CERTIFICATE-----"
    )
    assert redact(text) == text


@given(st.text(max_size=500), st.integers(5, 80))
def test_quoted_text_is_one_short_printable_line(text: str, longest: int) -> None:
    """Terminal codes and line breaks of a server must not forge lines of our log."""
    quoted = quotable(text, longest=longest)
    assert quoted.isprintable()
    assert len(quoted) <= longest


def test_text_is_redacted_before_it_is_shortened() -> None:
    """Half a token would pass the patterns and still be worth something."""
    assert "eyJ" not in quotable("x " + JWT, longest=30)
