"""Which authorities a signer's CA bundle holds, and from when on each may sign. Pure.

Two promises. A new authority stands in the bundle for the whole overlap before it signs, so that
whoever checks certificates has loaded it by then. And one that signed stays until the last
certificate it can have signed has ended. So whoever reads the bundle anew at least once in each
overlap accepts every certificate that is still valid.

Where no other authority is alive, the first of all among them, one signs at once: nobody has a
certificate that works, so waiting would help nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from towline_certs.certificates import fingerprint_of

SETTLING = timedelta(minutes=10)
"""How long a hub may go on signing with an authority that another hub, or a person, has replaced
already, with room for clocks that differ."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A certificate that those who check certificates are to trust.

    Args:
        fingerprint: SHA-256 of it in DER, as hex digits.
        not_after: Its end, aware UTC.
        pem: The certificate itself.
    """

    fingerprint: str
    not_after: datetime
    pem: bytes = field(default=b"", repr=False, compare=False)

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """Return the anchor that a certificate is."""
        return cls(
            fingerprint_of(certificate),
            certificate.not_valid_after_utc,
            certificate.public_bytes(Encoding.PEM),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate in a bundle, and what is known about its use.

    Args:
        anchor: The certificate.
        signs_from: When it has been published for long enough, aware UTC.
        longest: Longest lifetime of a certificate issued under it; zero if none can have been.
        needed_until: When the last certificate under it has ended; None while it is in use, or
            about to be.
    """

    anchor: Anchor
    signs_from: datetime
    longest: timedelta = timedelta()
    needed_until: datetime | None = None

    def may_sign(self, *, lifetime: timedelta, now: datetime) -> bool:
        """Return whether certificates of this lifetime may be issued under it now.

        What it says about itself has to be published before, or nobody would know how long it is
        needed.
        """
        return self.needed_until is None and self.longest >= lifetime and self.signs_from <= now

    def is_over(self, *, now: datetime) -> bool:
        """Return whether nobody needs it any more."""
        return self.anchor.not_after < now or (
            self.needed_until is not None and self.needed_until < now
        )


def plan_bundle(
    entries: Iterable[Entry],
    *,
    signing: Anchor | None,
    announced: Iterable[Anchor],
    lifetime: timedelta,
    overlap: timedelta,
    now: datetime,
) -> tuple[Entry, ...]:
    """Return what a bundle shall hold.

    Args:
        entries: What it holds.
        signing: Under which anchor the present authority signs. While there is none that can be
            used, nothing is known to be former.
        announced: Anchors of authorities that will follow.
        lifetime: Longest lifetime of the certificates that are issued now.
        overlap: How long a new anchor is published before an authority under it signs.
        now: The present.
    """
    known = {entry.anchor.fingerprint: entry for entry in entries if not entry.is_over(now=now)}
    if signing is None or signing.not_after < now:
        return _in_order(known)
    signs_from = _whole_second(now + overlap) if known else now.replace(microsecond=0)
    in_use = {anchor.fingerprint: anchor for anchor in announced if anchor.not_after >= now}
    in_use[signing.fingerprint] = signing
    wanted: dict[str, Entry] = {}
    for fingerprint, anchor in in_use.items():
        entry = known.get(fingerprint) or Entry(anchor, signs_from)
        if fingerprint == signing.fingerprint:
            entry = replace(entry, longest=max(entry.longest, lifetime))
        wanted[fingerprint] = replace(entry, needed_until=None)
    for fingerprint, entry in known.items():
        if fingerprint in wanted or not entry.longest:
            continue  # what never signed is of no use to anybody
        until = entry.needed_until or _whole_second(now + entry.longest + SETTLING)
        wanted[fingerprint] = replace(entry, needed_until=min(until, entry.anchor.not_after))
    return _in_order(wanted)


def next_change(entries: Iterable[Entry], *, now: datetime) -> datetime | None:
    """Return when time alone changes what a bundle shall hold, or who may sign."""
    moments = [
        moment
        for entry in entries
        for moment in (entry.signs_from, entry.needed_until, entry.anchor.not_after)
        if moment is not None and moment > now
    ]
    return min(moments, default=None)


def _in_order(entries: Mapping[str, Entry]) -> tuple[Entry, ...]:
    """Return the entries in an order that depends on nothing but them: in use, newest first."""
    newest_first = sorted(
        entries.values(),
        key=lambda entry: (-entry.anchor.not_after.timestamp(), entry.anchor.fingerprint),
    )
    return tuple(sorted(newest_first, key=lambda entry: entry.needed_until is not None))


def _whole_second(moment: datetime) -> datetime:
    """Return the first whole second that is not earlier; no more is written down."""
    return (moment + timedelta(microseconds=999_999)).replace(microsecond=0)
