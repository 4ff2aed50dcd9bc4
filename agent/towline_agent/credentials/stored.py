"""What rests in a store: its files, and whether what they hold can be used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from towline_agent.credentials.enrollment import (
    CertificateOrder,
    Holding,
    NothingStored,
    Paused,
    Pending,
    Progress,
    Unusable,
    Usable,
)
from towline_api.errors import ConfigError, WireError
from towline_api.names import KUBECONFIG_KEY, TLS_KEY_KEY
from towline_api.timestamps import format_micro_time, parse_time
from towline_certs.credentials import Credential, check_credential, parse_credential_files
from towline_certs.errors import CredentialError, CredentialProblem, KeyParseError
from towline_certs.identities import Subject
from towline_certs.keys import parse_key
from towline_certs.requests import request_name
from towline_certs.rotation import renewal_time, share_left_for
from towline_kube.connection import Connection
from towline_kube.kubeconfig import read_kubeconfig

PROGRESS_KEY = "progress.json"
"""The file beside a pending key that says which request it belongs to."""
PUBLISHED_AUTHORITIES_KEY = "published-ca.crt"
"""The file beside a credential with the authorities that its hub has announced beside those of the
bootstrap kubeconfig."""
CREDENTIAL_KEY = "credential.json"
"""The file beside a credential in a directory that says which hub issued it, and when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """One generation of a credential, written and read as a whole.

    Args:
        files: By name: `tls.key`, `tls.crt`, and what goes with them (`kubeconfig`,
            `cluster-name`, ...).
        issued_at: When this credential was stored first. Signers may date certificates back, so
            its own start says little about how long it was meant to live.
        hub: URL of the hub that issued it; None in credentials others have stored.
    """

    files: Mapping[str, bytes] = field(repr=False)
    issued_at: datetime | None = None
    hub: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Everything a store holds for one identity.

    Args:
        credential: The credential; None if there is none.
        progress: What is known of the request under way. A pending key that the credential uses
            already is dropped here.
        has_leftover: Whether such a key was there; it is to be removed.
    """

    credential: StoredCredential | None = None
    progress: Progress | None = None
    has_leftover: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        # A process killed between storing a credential and forgetting its key leaves both.
        if (
            self.credential is not None
            and isinstance(self.progress, Pending)
            and self.progress.key_pem == self.credential.files.get(TLS_KEY_KEY)
        ):
            object.__setattr__(self, "progress", None)
            object.__setattr__(self, "has_leftover", True)


def encode_credential(credential: StoredCredential) -> dict[str, bytes]:
    """Return the files of a credential with what is known about it in a file of its own."""
    document = {
        "hub": credential.hub,
        "issued_at": format_micro_time(credential.issued_at) if credential.issued_at else None,
    }
    return {**credential.files, CREDENTIAL_KEY: json.dumps(document).encode()}


def decode_credential(files: Mapping[str, bytes]) -> StoredCredential:
    """Return what `encode_credential` wrote; what others wrote has no hub and no time of issue."""
    others = {name: content for name, content in files.items() if name != CREDENTIAL_KEY}
    try:
        document = json.loads(files.get(CREDENTIAL_KEY) or b"{}")
        hub, issued_at = document.get("hub"), document.get("issued_at")
        return StoredCredential(
            files=others,
            hub=str(hub) if hub else None,
            issued_at=parse_time(issued_at) if issued_at else None,
        )
    except (TypeError, ValueError, AttributeError):
        return StoredCredential(files=others)


def assess(
    stored: StoredCredential | None, *, order: CertificateOrder, hub: str, now: datetime
) -> tuple[Holding, Credential | None]:
    """Return whether a stored credential can be used now, and the credential if so.

    Args:
        stored: What the store held.
        order: What the credential must have been issued for.
        hub: The hub it must be for.
        now: The present.
    """
    if stored is None:
        return NothingStored(), None
    issuer = stored.hub or stored_hub(stored.files)
    if issuer is not None and issuer != hub:
        return Unusable(f"the stored credential is for the hub {issuer}, not for {hub}"), None
    credential = None
    try:
        credential = parse_credential_files(stored.files)
        check_credential(credential, issued_for=order.subject, now=now)
    except CredentialError as error:
        is_over = credential is not None and error.reason is CredentialProblem.EXPIRED
        ended = credential.validity if credential is not None and is_over else None
        return Unusable(f"the stored credential cannot be used: {error}", ended), None
    return usable(credential, issued_at=stored.issued_at), credential


def usable(credential: Credential, *, issued_at: datetime | None) -> Usable:
    """Return when a good credential is due for renewal and when it ends."""
    renew_at = renewal_time(
        credential.validity,
        issued_at=issued_at,
        share_left=share_left_for(credential.fingerprint),
    )
    return Usable(renew_at=renew_at, expires_at=credential.validity.not_after)


def stored_hub(files: Mapping[str, bytes]) -> str | None:
    """Return the server a stored kubeconfig names; None if there is no readable kubeconfig."""
    connection = stored_connection(files)
    return None if connection is None else connection.server


def stored_connection(files: Mapping[str, bytes]) -> Connection | None:
    """Return how a stored kubeconfig reaches the hub, without credential; None if unreadable."""
    text = files.get(KUBECONFIG_KEY)
    if not text:
        return None
    source = f"stored {KUBECONFIG_KEY}"
    try:
        kubeconfig = read_kubeconfig(text, source=source)
        context = kubeconfig.contexts.get(kubeconfig.current_context)
        name = context.text("cluster") if context is not None else None
        cluster = kubeconfig.clusters.get(name) if name is not None else None
        server = cluster.text("server") if cluster is not None else None
        if name is None or cluster is None or server is None:
            return None
        return Connection(
            server=server,
            ca_pem=cluster.content("certificate-authority"),
            proxy_url=cluster.text("proxy-url"),
            tls_server_name=cluster.text("tls-server-name"),
            cluster_entry_name=name,
            source=source,
        )
    except ConfigError:
        return None


def encode_progress(progress: Progress) -> dict[str, bytes]:
    """Return the files that remember a pending key, or the pause after one."""
    document: dict[str, Any] = {
        "failures": progress.failures,
        "hub": progress.hub,
        "subject": _encode(progress.subject),
    }
    match progress:
        case Pending():
            document |= {
                "request": progress.request_name,
                "created": format_micro_time(progress.created),
            }
            return {TLS_KEY_KEY: progress.key_pem, PROGRESS_KEY: json.dumps(document).encode()}
        case Paused():
            document |= {"until": format_micro_time(progress.until), "reason": progress.reason}
            return {PROGRESS_KEY: json.dumps(document).encode()}


def decode_progress(files: Mapping[str, bytes]) -> Progress | None:
    """Return what `encode_progress` wrote; None for no files at all.

    Raises:
        WireError: Somebody edited the files.
    """
    if not files:
        return None
    try:
        document = json.loads(files[PROGRESS_KEY])
        subject = _decode(document["subject"])
        failures = int(document["failures"])
        hub = str(document["hub"]) if document.get("hub") else None
        if "until" in document:
            return Paused(
                until=parse_time(document["until"]),
                failures=failures,
                reason=str(document["reason"]),
                subject=subject,
                hub=hub,
            )
        key_pem, name = files[TLS_KEY_KEY], str(document["request"])
        _check_belongs(name, key_pem=key_pem)
        return Pending(
            request_name=name,
            key_pem=key_pem,
            subject=subject,
            created=parse_time(document["created"]),
            failures=failures,
            hub=hub,
        )
    except (KeyError, TypeError, ValueError, AttributeError, KeyParseError) as error:
        raise WireError(
            "the record of the pending certificate request is broken; somebody edited it: "
            "starting afresh with another key",
            field=PROGRESS_KEY,
        ) from error


def _check_belongs(name: str, *, key_pem: bytes) -> None:
    # The digest in the name is the proof that key and record belong together.
    if not name.endswith(request_name("", key=parse_key(key_pem))):
        raise ValueError(f"request {name!r} is not named after the key stored with it")


def _encode(subject: Subject) -> dict[str, Any]:
    return {
        "user": subject.common_name,
        "groups": sorted(subject.organizations),
        "units": sorted(subject.organizational_units),
    }


def _decode(document: Mapping[str, Any]) -> Subject:
    return Subject(
        str(document["user"]), frozenset(document["groups"]), frozenset(document["units"])
    )
