"""What rests in a store, and whether it can be used."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest

from towline_agent.credentials.enrollment import (
    CertificateOrder,
    NothingStored,
    Paused,
    Pending,
    Unusable,
    Usable,
)
from towline_agent.credentials.signing_requests import new_pending
from towline_agent.credentials.stored import (
    PROGRESS_KEY,
    Stored,
    StoredCredential,
    assess,
    decode_credential,
    decode_progress,
    encode_credential,
    encode_progress,
    stored_connection,
    stored_hub,
)
from towline_api.errors import WireError
from towline_certs.authority import create_authority
from towline_certs.identities import ClusterIdentity, Subject
from towline_certs.keys import parse_key
from towline_kube.connection import Connection
from towline_kube.kubeconfig_writing import format_kubeconfig

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
SUBJECT = ClusterIdentity("c1", "agent").subject
ORDER = CertificateOrder(name_prefix="c1-", signer="s/x", subject=SUBJECT, labels={})
HUB = "https://hub.example:6443"
AUTHORITY = create_authority("test signer", lifetime=30 * HOUR, now=NOW - 2 * HOUR)
KUBECONFIG = format_kubeconfig(
    Connection(HUB, ca_pem=b"ca", cluster_entry_name="entry", proxy_url="http://proxy:1")
).encode()


def credential(
    pending: Pending, *, subject: Subject = SUBJECT, hub: str | None = HUB
) -> StoredCredential:
    certificate = AUTHORITY.issue(
        parse_key(pending.key_pem).public_key(), subject=subject, lifetime=HOUR, now=NOW
    )
    return StoredCredential(
        files={"tls.key": pending.key_pem, "tls.crt": certificate}, issued_at=NOW, hub=hub
    )


PENDING = new_pending(ORDER, now=NOW)
GOOD = credential(PENDING)


def assessed(stored: StoredCredential | None, *, now: datetime = NOW) -> object:
    return assess(stored, order=ORDER, hub=HUB, now=now)[0]


def test_a_good_credential_is_usable_until_its_renewal_is_due() -> None:
    """The renewal comes when a fifth to a quarter of the lifetime is left."""
    holding = assessed(GOOD)
    assert isinstance(holding, Usable)
    assert holding.expires_at == NOW + HOUR
    assert NOW + 0.75 * HOUR <= holding.renew_at <= NOW + 0.8 * HOUR


def test_nothing_stored_is_no_error() -> None:
    """Every first start looks like this."""
    assert assessed(None) == NothingStored()


@pytest.mark.parametrize(
    ("stored", "word"),
    [
        pytest.param(dataclasses.replace(GOOD, hub="https://other"), "other", id="another-hub"),
        pytest.param(
            dataclasses.replace(
                GOOD,
                hub=None,
                files={**GOOD.files, "kubeconfig": KUBECONFIG.replace(b"hub.ex", b"old.ex")},
            ),
            "old.example",
            id="another-hub-by-its-kubeconfig",
        ),
        pytest.param(
            credential(PENDING, subject=ClusterIdentity("c2", "agent").subject),
            "c2",
            id="another-cluster",
        ),
        pytest.param(
            dataclasses.replace(GOOD, files={**GOOD.files, "tls.key": b"edited"}),
            "key",
            id="edited-key",
        ),
        pytest.param(
            dataclasses.replace(GOOD, files={**GOOD.files, "tls.crt": b""}), "tls.crt", id="emptied"
        ),
        pytest.param(
            dataclasses.replace(
                GOOD, files={**GOOD.files, "tls.key": new_pending(ORDER, now=NOW).key_pem}
            ),
            "another key",
            id="halves-that-do-not-match",
        ),
    ],
)
def test_what_cannot_be_used_says_why(stored: StoredCredential, word: str) -> None:
    """The reason is what the operator reads when the agent asks for a new certificate."""
    holding = assessed(stored)
    assert isinstance(holding, Unusable)
    assert word in holding.reason


def test_an_expired_credential_names_its_user_and_time() -> None:
    """Which credential expired, and when, is the first question after an outage."""
    holding = assessed(GOOD, now=NOW + 2 * HOUR)
    assert isinstance(holding, Unusable)
    assert "system:open-cluster-management:c1:agent" in holding.reason
    assert "expired" in holding.reason


def test_a_credential_stored_by_an_ocm_agent_is_taken_over() -> None:
    """It says nothing of hub or time of issue except in its kubeconfig."""
    files = {**GOOD.files, "kubeconfig": KUBECONFIG}
    assert isinstance(assessed(StoredCredential(files=files)), Usable)


def test_a_stored_kubeconfig_leads_to_the_hub() -> None:
    """An agent whose bootstrap kubeconfig was removed goes on with this."""
    connection = stored_connection({"kubeconfig": KUBECONFIG})
    assert connection is not None
    assert (connection.server, connection.ca_pem) == (HUB, b"ca")
    assert (connection.proxy_url, connection.cluster_entry_name) == ("http://proxy:1", "entry")


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"clusters: {}", b"current-context: x"])
def test_an_unreadable_stored_kubeconfig_leads_nowhere(text: bytes) -> None:
    """Somebody edited it; that is no reason to stop."""
    assert stored_hub({"kubeconfig": text}) is None


def test_a_key_that_became_a_credential_is_no_longer_pending() -> None:
    """A process killed between storing and clearing must not ask a second time."""
    assert Stored(credential=GOOD, progress=PENDING).progress is None
    other = new_pending(ORDER, now=NOW)
    assert Stored(credential=GOOD, progress=other).progress == other


@pytest.mark.parametrize(
    "progress",
    [
        PENDING,
        dataclasses.replace(PENDING, failures=3),
        Paused(until=NOW, failures=2, reason="denied: no", subject=SUBJECT),
    ],
)
def test_progress_survives_a_restart(progress: Pending | Paused) -> None:
    """All of it: the same request, the same count of failures, the same pause."""
    assert decode_progress(encode_progress(progress)) == progress


def test_no_files_are_no_progress() -> None:
    """A store without anything pending reads as such."""
    assert decode_progress({}) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({PROGRESS_KEY: b"{"}, id="not-json"),
        pytest.param({PROGRESS_KEY: b"[]"}, id="not-an-object"),
        pytest.param({PROGRESS_KEY: b"{}"}, id="empty"),
        pytest.param({"tls.key": b"edited"}, id="broken-key"),
        pytest.param({"tls.key": new_pending(ORDER, now=NOW).key_pem}, id="another-key"),
    ],
)
def test_an_edited_record_is_noticed(change: dict[str, bytes]) -> None:
    """A record that belongs to another key would have us wait for a request nobody can use."""
    with pytest.raises(WireError, match="starting afresh"):
        decode_progress({**encode_progress(PENDING), **change})


def test_a_credential_in_a_directory_survives_a_restart() -> None:
    """What a Secret keeps in annotations is a file here."""
    assert decode_credential(encode_credential(GOOD)) == GOOD


@pytest.mark.parametrize("text", [b"{", b"[]", json.dumps({"issued_at": "x"}).encode()])
def test_an_edited_description_of_a_credential_is_passed_over(text: bytes) -> None:
    """Key and certificate still say all that is needed."""
    decoded = decode_credential({**GOOD.files, "credential.json": text})
    assert decoded == StoredCredential(files=GOOD.files)


def test_keys_stay_out_of_representations() -> None:
    """A traceback or a log line may print any of these values."""
    assert "PRIVATE" not in repr(Stored(credential=GOOD, progress=new_pending(ORDER, now=NOW)))
