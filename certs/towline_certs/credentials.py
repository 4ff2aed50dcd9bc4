"""A stored credential: a private key and the certificate issued for it, and if they still serve."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from towline_api.errors import WireError
from towline_api.names import TLS_CERTIFICATE_KEY, TLS_KEY_KEY
from towline_certs.certificates import (
    find_subject,
    fingerprint_of,
    is_for_clients,
    is_trusted,
    parse_chain,
)
from towline_certs.errors import CredentialError, CredentialProblem, KeyParseError
from towline_certs.identities import Subject
from towline_certs.keys import kind_of, parse_key, public_key_digest
from towline_certs.validity import Validity, validity_of


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key with the certificate chain that was issued for it. Made by `parse_credential`.

    Args:
        certificate_pem: The chain, leaf first, as it was received.
        key_pem: The private key; never in a repr.
        validity: When every certificate of the chain is valid.
        subject: Whom the leaf names; None when it says more than a `Subject` can hold.
        fingerprint: SHA-256 of the leaf in DER, hex.
    """

    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    validity: Validity
    subject: Subject | None
    fingerprint: str

    @property
    def files(self) -> dict[str, bytes]:
        """Both halves under the names they have in Secrets and directories."""
        return {TLS_KEY_KEY: self.key_pem, TLS_CERTIFICATE_KEY: self.certificate_pem}


def parse_credential(*, key_pem: bytes, certificate_pem: bytes) -> Credential:
    """Return a key and its certificate as one value.

    Raises:
        CredentialError: Either cannot be read, or the certificate was issued for another key.
    """
    try:
        key = parse_key(key_pem)
    except KeyParseError as error:
        raise CredentialError(str(error), reason=CredentialProblem.KEY_UNUSABLE) from error
    try:
        chain = parse_chain(certificate_pem)
        leaf_key = chain[0].public_key()
        validity = validity_of(chain)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialError(
            "certificate cannot be read, expected PEM with the certificate first and its "
            "intermediates after it; it has to be requested again",
            reason=CredentialProblem.MALFORMED,
        ) from error
    kind = kind_of(leaf_key)
    if type(leaf_key) is not type(key.public_key()) or leaf_key != key.public_key():
        raise CredentialError(
            f"certificate was issued for another key (its own is {kind or 'of another kind'}), "
            f"expected the key with digest {public_key_digest(key)[:20]}; "
            "both have to be discarded and requested again",
            reason=CredentialProblem.KEY_MISMATCH,
        )
    return Credential(
        certificate_pem=certificate_pem,
        key_pem=key_pem,
        validity=validity,
        subject=find_subject(chain[0]),
        fingerprint=fingerprint_of(chain[0]),
    )


def parse_credential_files(files: Mapping[str, bytes]) -> Credential:
    """Return the credential among the files of a Secret or a directory.

    Raises:
        CredentialError: One of the two files is missing or empty, or see `parse_credential`.
    """
    missing = [name for name in (TLS_KEY_KEY, TLS_CERTIFICATE_KEY) if not files.get(name)]
    if missing:
        raise CredentialError(
            f"no credential is stored: {' and '.join(missing)} missing or empty",
            reason=CredentialProblem.MISSING,
        )
    return parse_credential(key_pem=files[TLS_KEY_KEY], certificate_pem=files[TLS_CERTIFICATE_KEY])


def check_credential(
    credential: Credential, *, issued_for: Subject, now: datetime, ca_pem: bytes | None = None
) -> None:
    """Raise unless a credential serves as a client's, for this subject, at this moment.

    Args:
        credential: What `parse_credential` returned; that its halves match is known.
        issued_for: The subject that was asked for. Compared whole, the order of values aside.
        now: The moment to judge, aware UTC.
        ca_pem: Authorities of which one must have issued it. A managed cluster seldom knows who
            signs its hub's client certificates, so leaving it out is the usual case.

    Raises:
        CredentialError: With the first reason found.
    """
    validity = credential.validity
    if now > validity.not_after:
        raise CredentialError(
            f"certificate for {issued_for.common_name!r} expired at {_instant(validity.not_after)}",
            reason=CredentialProblem.EXPIRED,
        )
    if now < validity.not_before:
        raise CredentialError(
            f"certificate for {issued_for.common_name!r} is valid only from "
            f"{_instant(validity.not_before)}, here it is {_instant(now)}; compare the clocks",
            reason=CredentialProblem.NOT_YET_VALID,
        )
    if credential.subject != issued_for:
        found = credential.subject or "a subject with more in it"
        raise CredentialError(
            f"certificate is for {found}, expected {issued_for}",
            reason=CredentialProblem.SUBJECT_MISMATCH,
        )
    chain = parse_chain(credential.certificate_pem)
    if not is_for_clients(chain[0]):
        raise CredentialError(
            f"certificate for {issued_for.common_name!r} is not for clients: "
            "its extended key usage lacks clientAuth",
            reason=CredentialProblem.NOT_FOR_CLIENTS,
        )
    if ca_pem is not None and not is_trusted(chain, authorities=_authorities(ca_pem)):
        raise CredentialError(
            f"certificate for {issued_for.common_name!r} was not issued by the expected authority",
            reason=CredentialProblem.UNTRUSTED,
        )


def to_secret_data(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return files as the `data` of a Secret: base64 by name."""
    return {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}


def from_secret_data(data: Mapping[str, Any] | None) -> dict[str, bytes]:
    """Return the files in the `data` of a Secret; none for a Secret without data.

    Raises:
        WireError: A value is not base64. Names the key, never the value.
    """
    files: dict[str, bytes] = {}
    for name, value in (data or {}).items():
        try:
            files[name] = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise WireError(
                f"secret data {name!r} is not base64; somebody edited it: delete the key to have "
                "it written again",
                field=f"data.{name}",
            ) from None
    return files


def _authorities(ca_pem: bytes) -> tuple[x509.Certificate, ...]:
    try:
        return parse_chain(ca_pem)
    except ValueError as error:
        raise CredentialError(
            "the authority to check against is not a PEM certificate",
            reason=CredentialProblem.UNTRUSTED,
        ) from error


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
