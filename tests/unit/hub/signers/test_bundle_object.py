"""The published ConfigMap: what is written is what is known again, whoever edited it."""

import json
from datetime import timedelta

import pytest

from support.csrs import NOW
from towline_api.names import SIGNER_AUTHORITIES_ANNOTATION
from towline_api.resources import KubeObject
from towline_certs import create_authority
from towline_certs.certificates import parse_chain
from towline_hub.object_writer import holds
from towline_hub.signers.bundle import Anchor, Entry, plan_bundle
from towline_hub.signers.bundle_object import BUNDLE_KEY, bundle_object, published_entries

DAY = timedelta(days=1)
AUTHORITIES = [create_authority(f"ca-{number}", now=NOW, lifetime=10 * DAY) for number in range(3)]
FIRST, SECOND, STRANGER = (Anchor.of(authority.certificate) for authority in AUTHORITIES)
ENTRIES = (
    Entry(FIRST, NOW, longest=DAY),
    Entry(SECOND, NOW - DAY, longest=timedelta(hours=1), needed_until=NOW + DAY),
)


def written(*entries: Entry) -> KubeObject:
    return bundle_object("authority-bundle", namespace="hub", entries=entries)


def test_what_is_written_is_read_again() -> None:
    """A hub that starts anew knows what the last one knew."""
    assert published_entries(written(*ENTRIES)) == ENTRIES
    assert published_entries(None) == ()


def test_the_bundle_is_plain_pem() -> None:
    """For anybody to mount and load."""
    text = written(*ENTRIES)["data"][BUNDLE_KEY]
    assert [Anchor.of(each) for each in parse_chain(text.encode())] == [FIRST, SECOND]
    assert text.startswith("-----BEGIN CERTIFICATE-----\n")


def test_a_plan_that_changes_nothing_writes_nothing() -> None:
    """However the fields were spelled."""
    live = written(*ENTRIES)
    live["metadata"] |= {"resourceVersion": "7", "uid": "u", "creationTimestamp": "x"}
    again = plan_bundle(
        published_entries(live),
        signing=FIRST,
        announced=(),
        lifetime=DAY,
        overlap=DAY,
        now=NOW + timedelta(microseconds=1),
    )
    assert holds(written(*again), live)


def test_a_certificate_somebody_added_is_not_ours_to_keep() -> None:
    """Trust in it would be nobody's decision."""
    edited = written(*ENTRIES)
    edited["data"][BUNDLE_KEY] += STRANGER.pem.decode()
    assert published_entries(edited) == ENTRIES


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        "",
        "{",
        "{}",
        "[1]",
        '[{"sha256": 1}]',
        '[{"sha256": "x"}]',
        '[{"sha256": "x", "signsFrom": "yesterday"}]',
        '[{"sha256": "x", "signsFrom": "2026-06-01T12:00:00Z", "longestLifetime": "long"}]',
    ],
)
def test_where_the_records_are_lost_every_certificate_is_kept(annotation: str | None) -> None:
    """Nobody can tell any more which of them is needed, and a wrong guess is an outage."""
    edited = written(*ENTRIES)
    edited["metadata"]["annotations"] = (
        {} if annotation is None else {SIGNER_AUTHORITIES_ANNOTATION: annotation}
    )
    found = published_entries(edited)
    assert [entry.anchor for entry in found] == [FIRST, SECOND]
    assert all(entry.needed_until == entry.anchor.not_after for entry in found)
    planned = plan_bundle(
        found, signing=FIRST, announced=(), lifetime=DAY, overlap=DAY, now=NOW + DAY
    )
    assert planned[0].may_sign(lifetime=DAY, now=NOW + DAY)
    assert planned[1].anchor == SECOND


@pytest.mark.parametrize("data", [None, {}, {BUNDLE_KEY: ""}, {BUNDLE_KEY: "hello"}])
def test_a_broken_bundle_is_written_anew(data: dict[str, str] | None) -> None:
    """It publishes nothing, so nothing is lost with it."""
    assert published_entries({**written(*ENTRIES), "data": data}) == ()


def test_the_records_are_for_people_too() -> None:
    """`kubectl describe` shows since when and until when each authority counts."""
    records = json.loads(
        written(*ENTRIES)["metadata"]["annotations"][SIGNER_AUTHORITIES_ANNOTATION]
    )
    assert records == [
        {
            "sha256": FIRST.fingerprint,
            "signsFrom": "2026-06-01T12:00:00Z",
            "longestLifetime": "24h",
        },
        {
            "sha256": SECOND.fingerprint,
            "signsFrom": "2026-05-31T12:00:00Z",
            "longestLifetime": "1h",
            "neededUntil": "2026-06-02T12:00:00Z",
        },
    ]
