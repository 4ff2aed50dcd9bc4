"""The certificates of the webhook: what there are, what to do about them, and when. Pure.

An authority of the hub's own issues the certificate that the webhook shows. Both are replaced after
two thirds of their life. An authority that is to follow is made known to API servers well before
anything it issued is shown to them, and the former one stays known until it ends.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from towline_certs.authority import SERVER_ONLY, Authority, create_authority
from towline_certs.certificates import is_issued_by, parse_chain
from towline_certs.identities import Subject
from towline_certs.keys import format_key, generate_key
from towline_certs.validity import Validity, validity_of

_BACKDATE = timedelta(minutes=5)
"""For an API server whose clock is behind ours."""
_AUTHORITY_LIFETIMES = 12
_OVERLAP_SHARE = 12


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what lives.

    Args:
        leaf: A certificate that is shown.
        authority: One that issued it.
        overlap: How long an authority is known before anything it issued is shown. API servers
            hear of a changed CRD within a second; a hub may be away for much longer.
    """

    leaf: timedelta
    authority: timedelta
    overlap: timedelta

    @classmethod
    def of_leaf(cls, leaf: timedelta) -> Self:
        """Return what goes with the lifetime of a certificate that is shown."""
        return cls(leaf, leaf * _AUTHORITY_LIFETIMES, leaf / _OVERLAP_SHARE)


@dataclass(frozen=True, slots=True)
class ServerNames:
    """The names a certificate has to hold.

    Args:
        dns: Hosts.
        ip: Addresses.
    """

    dns: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certificates:
    """Everything there is.

    Args:
        signing: The authority of the certificate that is shown.
        following: The one that will sign next; None until it is time.
        former: Certificates of earlier ones.
        certificate_pem: What is shown.
        key_pem: Its key.
    """

    signing: Authority
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    following: Authority | None = None
    former: tuple[x509.Certificate, ...] = ()

    @property
    def trusted_pem(self) -> bytes:
        """The authorities that an API server has to know."""
        current = [self.signing.certificate]
        if self.following is not None:
            current.append(self.following.certificate)
        return b"".join(
            each.public_bytes(Encoding.PEM) for each in dict.fromkeys((*current, *self.former))
        )

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate that is shown."""
        return parse_chain(self.certificate_pem)[0]


def make_certificates(names: ServerNames, *, lifetimes: Lifetimes, now: datetime) -> Certificates:
    """Return certificates to begin with."""
    return _shown(_new_authority(lifetimes, now=now), names, lifetimes=lifetimes, now=now)


def next_certificates(
    held: Certificates,
    names: ServerNames,
    *,
    lifetimes: Lifetimes,
    known_for: timedelta | None,
    now: datetime,
) -> Certificates:
    """Return what should be there instead of what is; the very same if nothing is to do.

    Args:
        held: What is there.
        names: What the certificate has to hold.
        lifetimes: How long what lives.
        known_for: How long API servers have known every authority there is; None if they do not
            yet.
        now: The present.
    """
    if held.signing.validity.not_after <= now:
        return make_certificates(names, lifetimes=lifetimes, now=now)
    former = tuple(each for each in held.former if each.not_valid_after_utc > now)
    if former != held.former:
        held = replace(held, former=former)
    if held.following is None and _is_due(held.signing.validity, now=now):
        return replace(held, following=_new_authority(lifetimes, now=now))
    if held.following is not None and known_for is not None and known_for >= lifetimes.overlap:
        shown = _shown(held.following, names, lifetimes=lifetimes, now=now)
        return replace(shown, former=(held.signing.certificate, *held.former))
    if _must_be_replaced(held, names, now=now):
        shown = _shown(held.signing, names, lifetimes=lifetimes, now=now)
        return replace(shown, following=held.following, former=held.former)
    return held


def next_look(
    held: Certificates,
    *,
    lifetimes: Lifetimes,
    known_for: timedelta | None,
    now: datetime,
) -> timedelta:
    """Return after which time there may be something to do, if nothing else happens."""
    ends = [
        _due(validity_of([held.leaf])) - now,
        *(x.not_valid_after_utc - now for x in held.former),
    ]
    if held.following is None:
        ends.append(_due(held.signing.validity) - now)
    else:
        ends.append(lifetimes.overlap - (known_for or timedelta()))
    return max(min(ends), timedelta(milliseconds=100))


def _must_be_replaced(held: Certificates, names: ServerNames, *, now: datetime) -> bool:
    return (
        _is_due(validity_of([held.leaf]), now=now)
        or not is_issued_by(held.leaf, held.signing.certificate)
        or _names_of(held.leaf) != (set(names.dns), set(names.ip))
    )


def _names_of(leaf: x509.Certificate) -> tuple[set[str], set[str]]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set(), set()
    return (
        set(found.get_values_for_type(x509.DNSName)),
        {str(each) for each in found.get_values_for_type(x509.IPAddress)},
    )


def _new_authority(lifetimes: Lifetimes, *, now: datetime) -> Authority:
    # Verifiers find an issuer by its name first, so no two have the same.
    return create_authority(
        f"towline-hub-webhook@{now:%Y%m%dT%H%M%S.%fZ}",
        now=now,
        lifetime=lifetimes.authority,
        backdate=_BACKDATE,
    )


def _shown(
    authority: Authority, names: ServerNames, *, lifetimes: Lifetimes, now: datetime
) -> Certificates:
    key = generate_key()
    certificate = authority.issue(
        key.public_key(),
        subject=Subject("towline-hub-webhook", frozenset()),
        now=now,
        lifetime=lifetimes.leaf,
        dns_names=names.dns,
        ip_addresses=names.ip,
        usages=SERVER_ONLY,
        backdate=_BACKDATE,
    )
    return Certificates(authority, certificate, format_key(key))


def _is_due(validity: Validity, *, now: datetime) -> bool:
    return _due(validity) <= now


def _due(validity: Validity) -> datetime:
    """Return when something valid this long is replaced."""
    made = validity.not_before + _BACKDATE
    return made + (validity.not_after - made) * 2 / 3
