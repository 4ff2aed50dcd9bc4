"""The ConfigMap that publishes a signer's CA bundle, and remembers what is known about it. Pure.

The bundle itself is plain PEM, for anybody to mount. What is known about each certificate in it
stands beside it in an annotation, so that a hub that was restarted, or replaced, knows it too.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm

from towline_api import names
from towline_api.durations import format_duration, parse_duration
from towline_api.metadata import annotations_of
from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_api.timestamps import format_time, parse_time
from towline_certs.certificates import parse_chain
from towline_hub.signers.bundle import Anchor, Entry

BUNDLE_KEY = "ca-bundle.crt"
"""Key of the bundle in the ConfigMap."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def bundle_object(name: str, *, namespace: str, entries: Iterable[Entry]) -> KubeObject:
    """Return the ConfigMap for server-side apply."""
    entries = tuple(entries)
    records = [_record(entry) for entry in entries]
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {names.MANAGED_BY_LABEL: "towline"},
            "annotations": {
                names.SIGNER_AUTHORITIES_ANNOTATION: json.dumps(records, separators=(",", ":"))
            },
        },
        "data": {BUNDLE_KEY: b"".join(entry.anchor.pem for entry in entries).decode("ascii")},
    }


def published_entries(config_map: KubeObject | None) -> tuple[Entry, ...]:
    """Return what a ConfigMap publishes, as far as a hub put it there.

    A certificate that no record speaks of was added by somebody else, and is left out. Where all
    records are lost, nobody can tell: every certificate is kept until its own end.
    """
    text = ((config_map or {}).get("data") or {}).get(BUNDLE_KEY)
    if config_map is None or not isinstance(text, str):
        return ()
    try:
        anchors = [Anchor.of(certificate) for certificate in parse_chain(text.encode())]
    except (ValueError, UnsupportedAlgorithm):
        return ()  # put right by writing it anew
    try:
        records = _parse_records(
            annotations_of(config_map).get(names.SIGNER_AUTHORITIES_ANNOTATION)
        )
    except ValueError:
        return tuple(
            Entry(anchor, _LONG_AGO, longest=timedelta.resolution, needed_until=anchor.not_after)
            for anchor in anchors
        )
    return tuple(
        _entry(anchor, records[anchor.fingerprint])
        for anchor in anchors
        if anchor.fingerprint in records
    )


def _record(entry: Entry) -> dict[str, str]:
    record = {"sha256": entry.anchor.fingerprint, "signsFrom": format_time(entry.signs_from)}
    if entry.longest:
        record["longestLifetime"] = format_duration(entry.longest)
    if entry.needed_until is not None:
        record["neededUntil"] = format_time(entry.needed_until)
    return record


def _entry(anchor: Anchor, record: Mapping[str, str]) -> Entry:
    until = record.get("neededUntil")
    return Entry(
        anchor,
        signs_from=parse_time(record["signsFrom"]),
        longest=parse_duration(record.get("longestLifetime", "0")),
        needed_until=None if until is None else parse_time(until),
    )


def _parse_records(text: str | None) -> dict[str, dict[str, str]]:
    """Return the records by fingerprint.

    Raises:
        ValueError: There are none, or they are not as a hub writes them.
    """
    records: Any = json.loads(text or "")
    if not _are_records(records):
        raise ValueError("not a list of records")
    for record in records:
        parse_time(record.get("signsFrom", ""))
        parse_time(record.get("neededUntil", "1970-01-01T00:00:00Z"))
        parse_duration(record.get("longestLifetime", "0"))
    return {record.get("sha256", ""): record for record in records}


def _are_records(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(record, dict) and all(isinstance(text, str) for text in record.values())
        for record in value
    )
