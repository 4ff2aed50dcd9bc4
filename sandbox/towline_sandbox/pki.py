"""The keys and certificates of one plane: made when it starts, thrown away with its folder.

Two authorities, so that nothing works by mistaking one for the other: *serving* signs the API
server's certificate, *client* signs everybody who calls it (and every approved request).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from towline_certs.authority import SERVER_ONLY, Authority, create_authority
from towline_certs.identities import Subject
from towline_certs.keys import format_key, generate_key
from towline_certs.requests import build_request

SERVICE_NETWORK = "10.0.0.0/24"
_KUBERNETES_SERVICE_ADDRESS = "10.0.0.1"  # the first of the service network, by Kubernetes' rule
_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)

# Longer than the year that Kubernetes' signer gives by default: it cuts what it issues to the end
# of its authority, and that would be seen in tests of lifetimes.
_AUTHORITY_LIFETIME = timedelta(days=3650)
_COMPONENT_LIFETIME = timedelta(days=365)
# TLS goes by the real clock, and that may be set back a little while the plane runs.
_BACKDATE = timedelta(minutes=5)

ADMIN_USER = "towline-sandbox-admin"
_CONTROLLERS_USER = "system:kube-controller-manager"
_MASTERS = ("system:masters",)


@dataclass(frozen=True, slots=True)
class ClientPair:
    """A client's (or the server's own) certificate and its key, as PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


class PlanePki:
    """Everything a plane's processes need to know each other by.

    Args:
        name: The plane's name; it stands in the authorities' names.
        backdate: How far before now its authorities begin, for planes whose clock may be set back.
    """

    def __init__(self, name: str, *, backdate: timedelta = _BACKDATE) -> None:
        now = datetime.now(UTC)
        self._name, self._authority_backdate, self._authorities = name, backdate, 0
        self._serving, self._client = (
            self._create_authority(purpose, now=now) for purpose in ("serving", "clients")
        )
        self.admin = self.client_pair(ADMIN_USER, groups=_MASTERS, lifetime=_COMPONENT_LIFETIME)
        # In Kubernetes each controller has an account of its own; here all share one, which saves
        # a second at the start and takes nothing from what is tested.
        self.controllers = self.client_pair(
            _CONTROLLERS_USER, groups=_MASTERS, lifetime=_COMPONENT_LIFETIME
        )

    def _create_authority(self, purpose: str, *, now: datetime) -> Authority:
        return create_authority(
            f"towline sandbox {self._name}: {purpose}",
            now=now,
            lifetime=_AUTHORITY_LIFETIME,
            backdate=self._authority_backdate,
        )

    def new_serving_authority(self) -> Authority:
        """Return one more authority for server certificates, not in use so far."""
        self._authorities += 1
        return self._create_authority(f"serving {self._authorities + 1}", now=datetime.now(UTC))

    def serve_by(self, authority: Authority) -> None:
        """Have another authority sign the API server's certificates from now on."""
        self._serving = authority

    @property
    def serving_ca_pem(self) -> bytes:
        """Certificate of the authority that signs the API server's certificate."""
        return self._serving.certificate_pem

    @property
    def client_authority(self) -> Authority:
        """The authority that signs everybody who calls."""
        return self._client

    def server_pair(self) -> ClientPair:
        """Return a fresh key and certificate for the API server."""
        key = generate_key()
        certificate = self._serving.issue(
            key.public_key(),
            subject=Subject("kube-apiserver", frozenset()),
            now=datetime.now(UTC),
            lifetime=_COMPONENT_LIFETIME,
            dns_names=_SERVER_NAMES,
            ip_addresses=("127.0.0.1", "::1", _KUBERNETES_SERVICE_ADDRESS),
            usages=SERVER_ONLY,
            backdate=_BACKDATE,
        )
        return ClientPair(certificate, format_key(key))

    def client_pair(
        self, user: str, *, groups: Sequence[str] = (), lifetime: timedelta
    ) -> ClientPair:
        """Return a fresh key and a certificate that makes its holder this user."""
        key = generate_key()
        certificate = self._client.issue(
            key.public_key(),
            subject=Subject(user, frozenset(groups)),
            now=datetime.now(UTC),
            lifetime=lifetime,
            backdate=_BACKDATE,
        )
        return ClientPair(certificate, format_key(key))

    def trial_request(self) -> bytes:
        """Return a certificate request (PEM) for nobody in particular."""
        return build_request(generate_key(), subject=Subject("towline-sandbox-trial", frozenset()))

    def write(self, folder: Path) -> None:
        """Write the files that `components` names into the private folder."""
        server, service_account_key = self.server_pair(), generate_key()
        for name, content in {
            "serving-ca.crt": self._serving.certificate_pem,
            "server.crt": server.certificate_pem,
            "server.key": server.key_pem,
            "client-ca.crt": self._client.certificate_pem,
            "client-ca.key": format_key(self._client.key),
            "admin.crt": self.admin.certificate_pem,
            "admin.key": self.admin.key_pem,
            "service-accounts.key": format_key(service_account_key),
            "service-accounts.pub": service_account_key.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            ),
        }.items():
            write_private(folder / name, content)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)
