"""Which hub to begin at, and what makes an agent leave one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from towline_agent.credentials.state import Standing
from towline_agent.moving.choice import Departure, Kept, Reason, Stay, find_departure, first_hub

A, B, C = "https://a", "https://b", "https://c"
TIMEOUT = timedelta(minutes=10)
GOOD = Stay(hub=A, listed=(A, B, C), holds_credential=True, standing=Standing.ACCEPTED)


@pytest.mark.parametrize(
    ("listed", "kept", "first"),
    [
        pytest.param((A, B), Kept(), A, id="nothing-is-stored"),
        pytest.param((A, B), Kept(hub=B, is_usable=True), B, id="a-good-credential"),
        pytest.param((A,), Kept(hub=C, is_usable=True), C, id="a-good-one-for-a-hub-to-be-left"),
        pytest.param((A, B), Kept(hub=B), B, id="an-expired-credential"),
        pytest.param((A,), Kept(hub=C), A, id="an-expired-one-for-a-hub-to-be-left"),
        pytest.param((A, B), Kept(asked_hub=B), B, id="a-request-under-way"),
        pytest.param((A,), Kept(asked_hub=B), A, id="a-request-at-a-hub-to-be-left"),
        pytest.param((A, B, C), Kept(hub=B, asked_hub=C), C, id="expired-and-asking-elsewhere"),
        pytest.param(
            (A, B, C), Kept(hub=B, is_usable=True, asked_hub=C), B, id="good-and-asking-elsewhere"
        ),
        pytest.param((), Kept(hub=C), C, id="no-kubeconfig-can-be-read"),
        pytest.param((), Kept(), None, id="no-way-to-any"),
    ],
)
def test_an_agent_begins_where_it_was(listed: tuple[str, ...], kept: Kept, first: str) -> None:
    """Only what knows of no hub goes by the order; the others are where somebody expects them."""
    assert first_hub(listed, kept) == first


@pytest.mark.parametrize(
    "stay",
    [
        pytest.param(GOOD, id="all-is-well"),
        pytest.param(replace(GOOD, standing=Standing.WAITING), id="it-waits-for-acceptance"),
        pytest.param(replace(GOOD, standing=Standing.UNKNOWN), id="nothing-is-seen-yet"),
        pytest.param(replace(GOOD, failing_for=TIMEOUT), id="a-renewal-fails"),
        pytest.param(replace(GOOD, silent_for=TIMEOUT - timedelta(seconds=1)), id="silent-so-far"),
        pytest.param(
            replace(GOOD, holds_credential=False, failing_for=timedelta(seconds=29)), id="so-far"
        ),
        pytest.param(replace(GOOD, holds_credential=False), id="a-request-waits"),
        pytest.param(
            Stay(hub=A, listed=(A, A), holds_credential=False, standing=Standing.DENIED),
            id="there-is-no-other",
        ),
        pytest.param(replace(GOOD, hub=B, listed=()), id="no-kubeconfig-can-be-read"),
        pytest.param(replace(GOOD, hub=B), id="an-earlier-one-works-again"),
    ],
)
def test_an_agent_stays(stay: Stay) -> None:
    """Each move costs a registration, so it takes more than a passing trouble."""
    assert find_departure(stay, timeout=TIMEOUT) is None


@pytest.mark.parametrize(
    ("stay", "reason", "targets"),
    [
        pytest.param(
            replace(GOOD, standing=Standing.DENIED), Reason.DENIED, (B, C), id="denied"
        ),
        pytest.param(replace(GOOD, standing=Standing.GONE), Reason.DELETED, (B, C), id="deleted"),
        pytest.param(replace(GOOD, silent_for=TIMEOUT), Reason.SILENT, (B, C), id="silent"),
        pytest.param(
            replace(GOOD, hub=B, silent_for=TIMEOUT), Reason.SILENT, (A, C), id="the-first-again"
        ),
        pytest.param(
            replace(GOOD, holds_credential=False, failing_for=timedelta(seconds=30)),
            Reason.NO_CREDENTIAL,
            (B, C),
            id="no-certificate-can-be-asked-for",
        ),
        pytest.param(
            replace(GOOD, listed=(C, B)), Reason.NOT_LISTED, (C, B), id="its-kubeconfig-is-gone"
        ),
    ],
)  # fmt: skip
def test_an_agent_leaves(stay: Stay, reason: Reason, targets: tuple[str, ...]) -> None:
    """It says why, and tries the others in their order."""
    departure = find_departure(stay, timeout=TIMEOUT)
    assert isinstance(departure, Departure)
    assert (departure.reason, departure.targets) == (reason, targets)
    assert departure.message
