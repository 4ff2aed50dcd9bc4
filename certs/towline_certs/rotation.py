"""When to renew a certificate: a pure question with one answer per certificate.

The share of lifetime left at renewal lies between a fifth and a quarter, as in OCM. It differs
between certificates, so that a fleet that joined in one minute does not renew in one minute. It is
drawn from the certificate's own fingerprint: asking again, or restarting, never moves the answer.
"""

import hashlib
from datetime import datetime, timedelta

from towline_certs.validity import Validity

SMALLEST_SHARE_LEFT = 0.20
LARGEST_SHARE_LEFT = 0.25
SIGNER_BACKDATING = timedelta(minutes=5)
"""How far kube-controller-manager dates certificates back, for clusters whose clocks disagree."""


def share_left_for(fingerprint: str) -> float:
    """Return the share of lifetime to leave unused, in [0.20, 0.25), drawn from the fingerprint."""
    digest = hashlib.sha256(b"towline renewal " + fingerprint.encode()).digest()
    # 32 bits divide exactly, so that rounding cannot reach the upper end.
    drawn = int.from_bytes(digest[:4]) / 2**32
    return SMALLEST_SHARE_LEFT + (LARGEST_SHARE_LEFT - SMALLEST_SHARE_LEFT) * drawn


def renewal_time(
    validity: Validity, *, issued_at: datetime | None = None, share_left: float
) -> datetime:
    """Return when to renew so that `share_left` of the usable lifetime is still unused.

    Args:
        validity: The window of the certificate chain.
        issued_at: When the certificate was received, if known. The window's beginning is no
            substitute: a signer that dates back by five minutes would, for a ten-minute
            certificate, make half of a lifetime that never was. When unknown, that backdating is
            assumed wherever it fits into the window.
        share_left: From `share_left_for`; between 0 and 1.

    Returns:
        An instant that is never after `not_after` and, for a certificate received while it was
        valid, never before it was received.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0 < share_left < 1:
        raise ValueError(f"share_left must lie between 0 and 1, found {share_left}")
    start = _start_of_use(validity, issued_at=issued_at)
    return validity.not_after - (validity.not_after - start) * share_left


def _start_of_use(validity: Validity, *, issued_at: datetime | None) -> datetime:
    if issued_at is None:
        assumed = validity.not_before + SIGNER_BACKDATING
        return assumed if assumed < validity.not_after else validity.not_before
    return min(max(issued_at, validity.not_before), validity.not_after)
