"""The keys and certificates of one plane: made when it starts, thrown away with its folder.

Two authorities, so that nothing works by mistaking one for the other: *serving* signs the API
server's certificate, *client* signs everybody who calls it (and every approved request).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVICE_NETWORK = "10.0.0.0/24"
_KUBERNETES_SERVICE_ADDRESS = "10.0.0.1"  # the first of the service network, by Kubernetes' rule
_AUTHORITY_LIFETIME = timedelta(days=3650)  # the signer cuts what it issues to its own end
_COMPONENT_LIFETIME = timedelta(days=365)
ADMIN_USER = "towline-sandbox-admin"
MASTERS = "system:masters"


@dataclass(frozen=True, slots=True)
class ClientPair:
    """A client certificate and its key, as PEM."""

    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        """Leave the key out of logs and tracebacks."""
        return "ClientPair(…)"


class PlanePki:
    """Everything a plane's processes need to know each other by.

    Args:
        name: The plane's name; it stands in the authorities' names.
    """

    def __init__(self, name: str) -> None:
        self._serving = _Authority.create(f"towline sandbox {name}: serving")
        self._client = _Authority.create(f"towline sandbox {name}: clients")
        self.admin = self.client_pair(ADMIN_USER, groups=(MASTERS,), lifetime=_COMPONENT_LIFETIME)
        # In Kubernetes each controller has an account of its own; here all share one, which saves
        # a second at the start and takes nothing from what is tested.
        self.controllers = self.client_pair(
            "system:kube-controller-manager", groups=(MASTERS,), lifetime=_COMPONENT_LIFETIME
        )

    @property
    def serving_ca_pem(self) -> bytes:
        """Certificate of the authority that signs the API server's certificate."""
        return self._serving.pem

    def client_pair(
        self, user: str, *, groups: Sequence[str] = (), lifetime: timedelta
    ) -> ClientPair:
        """Return a fresh key and a certificate that makes its holder this user."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
                x509.NameAttribute(NameOID.COMMON_NAME, user),
            ]
        )
        certificate = self._client.issue(
            key.public_key(), subject, lifetime, ExtendedKeyUsageOID.CLIENT_AUTH
        )
        return ClientPair(certificate, _key_pem(key))

    def trial_request(self) -> bytes:
        """Return a certificate request (PEM) for nobody in particular."""
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "towline-sandbox-trial")])
        )
        return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def write(self, folder: Path) -> None:
        """Write the files that `components` names into the private folder."""
        files = {
            "serving-ca.crt": self._serving.pem,
            "client-ca.crt": self._client.pem,
            "client-ca.key": _key_pem(self._client.key),
            "admin.crt": self.admin.certificate_pem,
            "admin.key": self.admin.key_pem,
        }
        server_key = ec.generate_private_key(ec.SECP256R1())
        files["server.key"] = _key_pem(server_key)
        files["server.crt"] = self._serving.issue(
            server_key.public_key(),
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")]),
            _COMPONENT_LIFETIME,
            ExtendedKeyUsageOID.SERVER_AUTH,
            dns_names=(
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ),
            ip_addresses=("127.0.0.1", "::1", _KUBERNETES_SERVICE_ADDRESS),
        )
        service_account_key = ec.generate_private_key(ec.SECP256R1())
        files["service-accounts.key"] = _key_pem(service_account_key)
        files["service-accounts.pub"] = service_account_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for name, content in files.items():
            write_private(folder / name, content)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)


@dataclass(frozen=True, slots=True, repr=False)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, name: str) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + _AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(ski, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        public_key: ec.EllipticCurvePublicKey,
        subject: x509.Name,
        lifetime: timedelta,
        usage: x509.ObjectIdentifier,
        dns_names: Sequence[str] = (),
        ip_addresses: Sequence[str] = (),
    ) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ip_addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
