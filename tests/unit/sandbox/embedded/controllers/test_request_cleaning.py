"""Requests are kept as long as kube-controller-manager keeps them."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from towline_api.resources import KubeObject
from towline_certs.authority import create_authority
from towline_certs.identities import Subject
from towline_certs.keys import generate_key
from towline_sandbox.embedded.controllers.request_cleaning import deletion_time, next_look

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
DECIDED = CREATED + timedelta(hours=5)
HOUR = timedelta(hours=1)


def certificate(*, lifetime: timedelta) -> str:
    """Return a certificate that is issued when the request was decided."""
    ca = create_authority("ca", now=CREATED, lifetime=timedelta(days=30))
    leaf = ca.issue(
        generate_key().public_key(),
        subject=Subject("a", frozenset()),
        now=DECIDED,
        lifetime=lifetime,
    )
    return base64.b64encode(leaf).decode()


def request(*conditions: str, **status: object) -> KubeObject:
    """Return a request with these conditions, all of them of the same time."""
    moment = DECIDED.strftime("%Y-%m-%dT%H:%M:%SZ")
    held = [{"type": type_, "status": "True", "lastUpdateTime": moment} for type_ in conditions]
    return {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": held, **status},
    }


@pytest.mark.parametrize(
    ("csr", "due"),
    [
        pytest.param(request(), CREATED + 24 * HOUR, id="pending"),
        pytest.param(request("Denied"), DECIDED + HOUR, id="denied"),
        pytest.param(request("Approved", "Failed"), DECIDED + HOUR, id="failed"),
        pytest.param(request("Approved"), DECIDED + 24 * HOUR, id="approved-not-signed"),
        pytest.param(
            request("Approved", certificate=certificate(lifetime=10 * HOUR)),
            DECIDED + HOUR,
            id="issued",
        ),
        pytest.param(
            request("Approved", certificate=certificate(lifetime=HOUR / 2)),
            DECIDED + HOUR / 2,
            id="issued-and-expired",
        ),
        pytest.param(request("Custom"), None, id="neither-decided-nor-untouched"),
    ],
)
def test_a_request_goes_when_its_time_has_come(csr: KubeObject, due: datetime | None) -> None:
    """Agents look for their request for hours; a fleet's requests must not pile up."""
    assert deletion_time(csr) == due


@pytest.mark.parametrize(
    ("due_after", "seen_after"),
    [
        (timedelta(0), timedelta(hours=1)),
        (timedelta(minutes=59), timedelta(hours=1)),
        (timedelta(hours=1), timedelta(hours=2)),
        (timedelta(hours=1, seconds=1), timedelta(hours=2)),
        (timedelta(hours=-5), timedelta(hours=1)),
    ],
)
def test_it_looks_once_an_hour(due_after: timedelta, seen_after: timedelta) -> None:
    """Short-lived certificates end while somebody still wants to see what was asked for."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    assert next_look(began + due_after, began=began) == began + seen_after
