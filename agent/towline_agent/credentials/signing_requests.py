"""The CertificateSigningRequest objects an agent posts, and what it reads back from them."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from towline_agent.credentials.enrollment import (
    Absent,
    CertificateOrder,
    Dead,
    Issued,
    Pending,
    Request,
    Waiting,
)
from towline_api.conditions import find_condition
from towline_api.errors import WireError
from towline_api.names import CLIENT_CERTIFICATE_USAGES
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_certs.credentials import check_credential, parse_credential
from towline_certs.errors import CredentialError, CredentialProblem, RequestError
from towline_certs.keys import format_key, generate_key, parse_key, public_key_digest
from towline_certs.requests import build_request, parse_request, request_name


def new_pending(order: CertificateOrder, *, now: datetime, failures: int = 0) -> Pending:
    """Return a fresh key and the name of the request to post for it."""
    key = generate_key()
    return Pending(
        request_name=request_name(order.name_prefix, key=key),
        key_pem=format_key(key),
        subject=order.subject,
        created=now,
        failures=failures,
    )


def signing_request(order: CertificateOrder, pending: Pending) -> KubeObject:
    """Return the object to post for a pending key."""
    request_pem = build_request(
        parse_key(pending.key_pem), subject=pending.subject, dns_names=order.dns_names
    )
    spec: dict[str, Any] = {
        "request": base64.b64encode(request_pem).decode("ascii"),
        "signerName": order.signer,
        "usages": list(CLIENT_CERTIFICATE_USAGES),
    }
    if order.lifetime is not None:
        spec["expirationSeconds"] = order.lifetime // timedelta(seconds=1)
    return {
        "apiVersion": CERTIFICATE_SIGNING_REQUESTS.api_version,
        "kind": CERTIFICATE_SIGNING_REQUESTS.kind,
        "metadata": {"name": pending.request_name, "labels": dict(order.labels)},
        "spec": spec,
    }


def observe_request(
    csr: KubeObject | None, *, order: CertificateOrder, pending: Pending, now: datetime
) -> Request:
    """Return what became of a request, as found on the hub.

    A certificate is examined here, before anything is stored: it must match the pending key, name
    the subject that was asked for, and be valid now.

    Args:
        csr: The object of the request's name; None if there is none.
        order: What was asked for.
        pending: The key it was asked with.
        now: The present.
    """
    if csr is None:
        return Absent()
    if not _is_ours(csr, order=order, pending=pending):
        message = (
            f"request {pending.request_name} on the hub is not the one this agent made (other key "
            "or signer); leaving it alone and asking again under another name"
        )
        return Dead("NotOurs", message)
    for condition_type in ("Denied", "Failed"):
        condition = find_condition(csr, condition_type)
        if condition is not None:
            message = (
                f"request {pending.request_name} for {pending.subject.common_name} "
                f"{'was denied' if condition_type == 'Denied' else 'failed'}: "
                f"{condition.reason or 'no reason given'}"
                + (f": {condition.message}" if condition.message else "")
            )
            return Dead(condition_type, message)
    approved = find_condition(csr, "Approved") is not None
    encoded = (csr.get("status") or {}).get("certificate")
    if not encoded:
        return Waiting(approved=approved)
    return _examine(encoded, order=order, pending=pending, now=now)


def _is_ours(csr: KubeObject, *, order: CertificateOrder, pending: Pending) -> bool:
    spec = csr.get("spec") or {}
    if spec.get("signerName") != order.signer:
        return False
    try:
        request = parse_request(base64.b64decode(spec.get("request") or "", validate=True))
    except (binascii.Error, ValueError, TypeError, RequestError):
        return False
    own = public_key_digest(parse_key(pending.key_pem))
    return public_key_digest(request.public_key) == own


def _examine(
    encoded: object, *, order: CertificateOrder, pending: Pending, now: datetime
) -> Request:
    try:
        certificate_pem = base64.b64decode(str(encoded), validate=True)
        credential = parse_credential(key_pem=pending.key_pem, certificate_pem=certificate_pem)
        check_credential(credential, issued_for=order.subject, now=now)
    except (binascii.Error, ValueError, WireError):
        message = f"certificate of request {pending.request_name} is not base64; asking again"
        return Dead("Mismatch", message)
    except CredentialError as error:
        if error.reason is CredentialProblem.NOT_YET_VALID:
            # Ours is the clock that is behind: signers date certificates back, not forward.
            return Waiting(approved=True, note=str(error))
        message = f"certificate of request {pending.request_name} is of no use: {error}"
        return Dead("Mismatch", message)
    return Issued(certificate_pem)
