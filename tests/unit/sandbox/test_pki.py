"""The certificates of a plane verify as a strict verifier would."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from towline_sandbox.pki import ClientPair, PlanePki

PKI = PlanePki("hub")


def attributes(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> set[str | bytes]:
    return {attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)}


def test_client_certificates_name_user_and_groups() -> None:
    """That is all that an API server knows of whoever shows one."""
    pair = PKI.client_pair("alice", groups=("team-a", "team-b"), lifetime=timedelta(minutes=10))
    certificate = x509.load_pem_x509_certificate(pair.certificate_pem)
    assert attributes(certificate, NameOID.COMMON_NAME) == {"alice"}
    assert attributes(certificate, NameOID.ORGANIZATION_NAME) == {"team-a", "team-b"}
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_keys_are_not_shown() -> None:
    """Tracebacks of tests end up in logs."""
    assert "PRIVATE KEY" not in repr(ClientPair(b"certificate", b"-----BEGIN PRIVATE KEY-----"))


def test_the_server_certificate_belongs_to_the_loopback_address(tmp_path: Path) -> None:
    """Verified with the serving authority, and only with that one."""
    PKI.write(tmp_path)
    leaf = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())

    def verify(authority: str) -> None:
        store = Store([x509.load_pem_x509_certificate((tmp_path / authority).read_bytes())])
        name = x509.DNSName("localhost")
        PolicyBuilder().store(store).build_server_verifier(name).verify(leaf, [])

    verify("serving-ca.crt")
    with pytest.raises(VerificationError):
        verify("client-ca.crt")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def test_nobody_else_can_read_what_is_written(tmp_path: Path) -> None:
    """The folder is closed already; a copy of a file out of it should be, too."""
    PKI.write(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert len(modes) == 9
    assert set(modes.values()) == {0o600}
