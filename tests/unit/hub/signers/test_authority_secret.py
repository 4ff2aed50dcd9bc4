"""What is read from a signer's Secret, and what is said about one that cannot be used."""

import base64
import traceback
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.verification import PolicyBuilder, Store

from support.csrs import NOW, key_of
from towline_api.errors import ConfigError
from towline_api.resources import KubeObject
from towline_certs import (
    Authority,
    KeyKind,
    PrivateKey,
    Subject,
    create_authority,
    format_key,
)
from towline_certs.authority import CLIENT_ONLY
from towline_hub.signers.authority_secret import (
    authority_name,
    is_managed,
    managed_secret,
    parse_authorities,
)
from towline_hub.signers.settings import SignerSettings

DAY = timedelta(days=1)
SETTINGS = SignerSettings(signer_name="example.com/signer", secret="authority", managed=True)

PKCS1_OR_SEC1, PKCS8 = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8


def secret(**data: bytes) -> KubeObject:
    return {
        "metadata": {"name": "authority", "namespace": "hub"},
        "data": {
            key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()
        },
    }


def pem(key: PrivateKey, shape: PrivateFormat = PKCS8) -> bytes:
    return key.private_bytes(Encoding.PEM, shape, NoEncryption())


def certificate(
    key,
    *,
    name="ca",
    issuer=None,
    ca: bool | None = True,
    signs: bool | None = True,
    ends=NOW + 10 * DAY,
) -> x509.Certificate:
    """Return an authority's certificate, or one with something wrong; its own or another's."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    by, by_key = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), critical=False
        )
    )
    if ca is not None:
        constraints = x509.BasicConstraints(ca=ca, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    if signs is not None:
        usage = x509.KeyUsage(True, False, False, False, False, signs, False, False, False)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(by_key, _hash(by_key))


def _hash(key):
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


@cache
def a_key(kind: str):
    """Return a key, made once: RSA takes a while."""
    match kind:
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "p521":
            return ec.generate_private_key(ec.SECP521R1())
        case "rsa-2048":
            return rsa.generate_private_key(65537, 2048)
        case "rsa-3072":
            return rsa.generate_private_key(65537, 3072)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
    raise AssertionError(kind)


def encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def issue(authority: Authority) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """Return a leaf for a client, and what goes with it."""
    leaf = authority.issue(
        key_of().public_key(),
        subject=Subject("agent", frozenset({"g"})),
        now=NOW,
        lifetime=DAY,
        dns_names=["addon.example.com"],
        usages=CLIENT_ONLY,
        backdate=timedelta(minutes=5),
    )
    more = authority.intermediates_pem
    return x509.load_pem_x509_certificate(leaf), (
        x509.load_pem_x509_certificates(more) if more else []
    )


def verify(authority: Authority) -> None:
    """Check a leaf as a strict TLS server would that trusts the anchor alone."""
    leaf, more = issue(authority)
    verifier = PolicyBuilder().store(Store([authority.anchor])).time(NOW).build_client_verifier()
    verified = verifier.verify(leaf, more)
    assert verified.chain[-1] == authority.anchor


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("p256", PKCS1_OR_SEC1),
        ("p256", PKCS8),
        ("p384", PKCS1_OR_SEC1),
        ("p384", PKCS8),
        ("p521", PKCS1_OR_SEC1),
        ("p521", PKCS8),
        ("rsa-2048", PKCS1_OR_SEC1),
        ("rsa-2048", PKCS8),
        ("rsa-3072", PKCS8),
        ("ed25519", PKCS8),
    ],
)
def test_every_usual_kind_of_authority_signs(kind: str, shape: PrivateFormat) -> None:
    """EC, RSA and Ed25519, as openssl, cert-manager and step write them."""
    key = a_key(kind)
    data = secret(tls_crt=encoded(certificate(key)), tls_key=pem(key, shape))
    authority = parse_authorities(data).signing
    leaf, more = issue(authority)
    leaf.verify_directly_issued_by(authority.certificate)
    assert not more
    if kind not in ("ed25519", "p521"):  # no certificate of the web has those, so Rust's refuses
        verify(authority)


def test_openssls_parameters_before_a_key_are_passed_over() -> None:
    """`openssl ecparam -genkey` writes them."""
    key = a_key("p256")
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    data = secret(tls_crt=encoded(certificate(key)), tls_key=parameters + pem(key, PKCS1_OR_SEC1))
    verify(parse_authorities(data).signing)


def test_a_chain_goes_with_what_is_issued() -> None:
    """Whoever trusts the root alone can follow, wherever the root stands."""
    root_key, middle_key = a_key("rsa-2048"), a_key("p256")
    root = certificate(root_key, name="root")
    middle = certificate(middle_key, name="middle", issuer=(root, root_key))
    chained = secret(tls_crt=encoded(middle) + encoded(root), tls_key=pem(middle_key))
    apart = secret(tls_crt=encoded(middle), tls_key=pem(middle_key), ca_crt=encoded(root))
    for data in (chained, apart):
        authority = parse_authorities(data).signing
        assert authority.anchor == root
        assert x509.load_pem_x509_certificates(authority.intermediates_pem) == [middle]
        verify(authority)
    alone = parse_authorities(secret(tls_crt=encoded(middle), tls_key=pem(middle_key))).signing
    assert alone.anchor == middle


def test_a_leaf_ends_before_anything_above_it() -> None:
    """A verifier would refuse it from then on."""
    root_key, middle_key = a_key("rsa-2048"), a_key("p256")
    root = certificate(root_key, name="root", ends=NOW + timedelta(hours=3))
    middle = certificate(middle_key, name="middle", issuer=(root, root_key))
    data = secret(tls_crt=encoded(middle) + encoded(root), tls_key=pem(middle_key))
    leaf, _ = issue(parse_authorities(data).signing)
    assert leaf.not_valid_after_utc == NOW + timedelta(hours=3)


def test_authorities_can_be_announced() -> None:
    """An operator who publishes the next one first rotates without any wait."""
    key, following = a_key("p256"), a_key("p384")
    own, next_one = certificate(key), certificate(following, name="next")
    data = secret(tls_crt=encoded(own), tls_key=pem(key), ca_crt=encoded(own) + encoded(next_one))
    assert parse_authorities(data).announced == (own, next_one)


KEY = a_key("p256")
GOOD = encoded(certificate(KEY))
ENCRYPTED = KEY.private_bytes(Encoding.PEM, PKCS8, BestAvailableEncryption(b"secret"))
WEAK = rsa.generate_private_key(65537, 1024)
K1 = ec.generate_private_key(ec.SECP256K1())
ROOT = certificate(a_key("rsa-2048"), name="root")


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        ({}, "tls.crt", "no such key"),
        ({"tls_crt": GOOD}, "tls.key", "no such key"),
        ({"tls_key": pem(KEY)}, "tls.crt", "no such key"),
        ({"tls_crt": b"hello", "tls_key": pem(KEY)}, "tls.crt", "cannot be read"),
        ({"tls_crt": pem(KEY), "tls_key": pem(KEY)}, "tls.crt", "cannot be read"),
        ({"tls_crt": GOOD, "tls_key": b"hello"}, "tls.key", "not usable PEM"),
        ({"tls_crt": GOOD, "tls_key": pem(KEY)[:-60]}, "tls.key", "not usable PEM"),
        ({"tls_crt": GOOD, "tls_key": GOOD}, "tls.key", "exactly one private key"),
        ({"tls_crt": GOOD, "tls_key": ENCRYPTED}, "tls.key", "encrypted"),
        ({"tls_crt": GOOD, "tls_key": pem(WEAK)}, "tls.key", "too weak"),
        ({"tls_crt": GOOD, "tls_key": pem(K1)}, "tls.key", "secp256k1"),
        (
            {"tls_crt": GOOD, "tls_key": pem(a_key("p384"))},
            "tls.crt and tls.key",
            "another key",
        ),
        (
            {"tls_crt": encoded(certificate(KEY, ca=False)), "tls_key": pem(KEY)},
            "tls.crt",
            "do not say CA",
        ),
        (
            {"tls_crt": encoded(certificate(KEY, ca=None)), "tls_key": pem(KEY)},
            "tls.crt",
            "do not say CA",
        ),
        (
            {"tls_crt": encoded(certificate(KEY, signs=False)), "tls_key": pem(KEY)},
            "tls.crt",
            "keyCertSign",
        ),
        (
            {"tls_crt": GOOD + encoded(ROOT), "tls_key": pem(KEY)},
            "tls.crt",
            "certificate 2 .* did not issue the one before it",
        ),
        (
            {"tls_crt": GOOD, "tls_key": pem(KEY), "ca_crt": b"hello"},
            "ca.crt",
            "expected certificates",
        ),
        (
            {
                "tls_crt": GOOD,
                "tls_key": pem(KEY),
                "ca_crt": encoded(certificate(KEY, ca=False)),
            },
            "ca.crt",
            "do not say CA",
        ),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_with_its_key_and_nothing_in_it(
    data: dict[str, bytes], where: str, what: str
) -> None:
    """One line, from which an operator can go and repair it; no key ends up in a log."""
    with pytest.raises(ConfigError, match=what) as caught:
        parse_authorities(secret(**data))
    text = str(caught.value)
    assert text.startswith(f"secrets hub/authority, key {where}: ")
    assert "\n" not in text
    shown = "".join(traceback.format_exception(caught.value))
    for value in data.values():
        body = b"".join(value.split(b"\n")[1:2]).decode()
        assert not body or body not in shown


def test_data_that_is_not_base64_is_said_to_be() -> None:
    """No API server takes it; a broken proxy may send it."""
    broken = secret(tls_crt=GOOD, tls_key=pem(KEY))
    broken["data"]["tls.key"] = "!"
    with pytest.raises(ConfigError, match=r"key tls\.key: not base64"):
        parse_authorities(broken)


def test_what_a_hub_writes_it_reads_again() -> None:
    """Killed after any write, the next hub goes on from there."""
    signing, following = (
        create_authority(authority_name(SETTINGS, now=NOW), now=NOW, lifetime=DAY) for _ in "ab"
    )
    written = managed_secret(SETTINGS, namespace="hub", signing=signing, following=following)
    assert is_managed(written)
    found = parse_authorities(written)
    assert found.signing.certificate == signing.certificate
    assert found.following is not None
    assert found.following.certificate == following.certificate
    switched = managed_secret(
        SETTINGS, namespace="hub", signing=found.following, resource_version="7"
    )
    assert switched["metadata"]["resourceVersion"] == "7"
    again = parse_authorities(switched)
    assert (again.signing.certificate, again.following) == (following.certificate, None)
    # The key of the former one is not kept anywhere.
    assert base64.b64encode(format_key(signing.key)).decode() not in str(switched)


def test_nothing_shows_a_key() -> None:
    """Values end up in logs and tracebacks by accident."""
    signing = create_authority("ca", now=NOW, lifetime=DAY, key_kind=KeyKind.ECDSA_P256)
    written = managed_secret(SETTINGS, namespace="hub", signing=signing, following=signing)
    found = parse_authorities(written)
    assert isinstance(signing.key, ec.EllipticCurvePrivateKey)
    secret_number = signing.key.private_numbers().private_value
    for value in (signing, found, found.signing):
        assert "PRIVATE" not in repr(value)
        assert str(secret_number) not in repr(value)
        assert "key=" not in repr(value)


def test_no_two_authorities_of_a_signer_have_one_name() -> None:
    """Verifiers that look an issuer up by name would find the wrong one."""
    later = datetime(2026, 6, 1, 12, 0, 1, tzinfo=UTC)
    assert authority_name(SETTINGS, now=NOW) != authority_name(SETTINGS, now=later)
