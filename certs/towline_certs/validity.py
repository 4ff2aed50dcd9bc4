"""The window of time in which a certificate, or a chain of them, is valid."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509


@dataclass(frozen=True, slots=True)
class Validity:
    """A window of time; both ends belong to it (RFC 5280 section 4.1.2.5).

    Args:
        not_before: First valid instant, aware UTC.
        not_after: Last valid instant, aware UTC.

    Raises:
        ValueError: The window is empty or an instant is naive.
    """

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        if self.not_before.tzinfo is None or self.not_after.tzinfo is None:
            raise ValueError("a validity needs aware instants")
        if self.not_before > self.not_after:
            raise ValueError(
                f"no instant is valid: starts {self.not_before:%Y-%m-%dT%H:%M:%SZ} after its end "
                f"{self.not_after:%Y-%m-%dT%H:%M:%SZ}"
            )

    @property
    def lifetime(self) -> timedelta:
        """Length of the window."""
        return self.not_after - self.not_before

    def covers(self, instant: datetime) -> bool:
        """Return whether the instant lies in the window."""
        return self.not_before <= instant <= self.not_after


def validity_of(chain: Iterable[x509.Certificate]) -> Validity:
    """Return when every certificate of a chain is valid: latest start, earliest end.

    Raises:
        ValueError: There is no certificate, or no instant at which all are valid.
    """
    windows = [(each.not_valid_before_utc, each.not_valid_after_utc) for each in chain]
    if not windows:
        raise ValueError("a chain needs at least one certificate")
    return Validity(
        max(not_before for not_before, _ in windows), min(not_after for _, not_after in windows)
    )
