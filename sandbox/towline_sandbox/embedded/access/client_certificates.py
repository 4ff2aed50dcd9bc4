"""Logging in with a client certificate: its subject names the user."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from towline_certs.certificates import is_trusted
from towline_certs.der import INTEGER, SEQUENCE, DerError, expect, read_element
from towline_certs.distinguished_names import COMMON_NAME, ORGANIZATION, parse_name
from towline_certs.validity import Validity, validity_of
from towline_sandbox.embedded.model.calls import AUTHENTICATED_GROUP, User
from towline_sandbox.embedded.model.failures import unauthorized

_UID = "1.3.6.1.4.1.57683.2"
_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_REMEMBERED = 20_000
_ANY_USAGE = frozenset(
    {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)


@dataclass(frozen=True, slots=True)
class _Login:
    """What a certificate is good for.

    Args:
        user: Whom it makes its holder; None for nobody in particular (it has no common name).
        validity: When.
    """

    user: User | None
    validity: Validity


class ClientCertificates:
    """Tells users by the certificates that their connections were opened with.

    Everything but the dates is looked at once for each certificate.

    Args:
        authorities: Who may have issued them.
    """

    def __init__(self, authorities: Sequence[x509.Certificate]) -> None:
        self._authorities = tuple(authorities)
        self._known: dict[bytes, _Login | None] = {}

    def find_user(self, der: bytes, *, now: datetime) -> User | None:
        """Return whom a certificate makes its holder; None if it does not name anybody.

        Raises:
            ApiFailure: 401, it is not good: of somebody else, out of date, not for clients.
        """
        digest = hashlib.sha256(der).digest()
        if digest not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[digest] = self._examine(der, digest)
        login = self._known[digest]
        if login is None or not login.validity.covers(now):
            raise unauthorized()
        return login.user

    def _examine(self, der: bytes, digest: bytes) -> _Login | None:
        try:
            certificate = x509.load_der_x509_certificate(der)
            if not (
                is_trusted([certificate], authorities=self._authorities)
                and _may_be_client(certificate)
            ):
                return None
            return _Login(_read_user(certificate, digest), validity_of([certificate]))
        except (ValueError, DerError, x509.DuplicateExtension):
            return None


def _may_be_client(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True  # restricted to nothing, so to Go it is good for everything
    return not _ANY_USAGE.isdisjoint(usage)


def _read_user(certificate: x509.Certificate, digest: bytes) -> User | None:
    fields = list(read_element(certificate.tbs_certificate_bytes, tag=SEQUENCE).children())
    if fields and fields[0].tag != INTEGER:
        del fields[0]  # the version
    name = expect(fields[4] if len(fields) > 4 else None, SEQUENCE)
    attributes = parse_name(name.whole)
    common_names = [each.value for each in attributes if each.oid == COMMON_NAME]
    if not common_names or not common_names[-1]:
        return None
    uids = [each.value for each in attributes if each.oid == _UID]
    if len(uids) > 1 or uids == [""]:
        raise ValueError("the subject has more than one uid, or an empty one")
    groups = [each.value for each in attributes if each.oid == ORGANIZATION]
    if AUTHENTICATED_GROUP not in groups:
        groups.append(AUTHENTICATED_GROUP)
    return User(
        common_names[-1],
        tuple(groups),
        uid=uids[0] if uids else "",
        extra={_CREDENTIAL_ID: [f"X509SHA256={digest.hex()}"]},
    )
