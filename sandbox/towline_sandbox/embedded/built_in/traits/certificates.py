"""CertificateSigningRequests: who asked is stamped by the server, and nobody rewrites a request."""

import base64
import re
from collections.abc import Iterator
from copy import deepcopy

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_api.timestamps import format_time
from towline_sandbox.embedded.built_in.name_rules import dns_label, dns_subdomain, path_segment
from towline_sandbox.embedded.built_in.traits.composing import at, selectable
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import (
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    too_long,
    unsupported,
)

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
_LONGEST_SIGNER = 571
_LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
_SHORTEST_SECONDS = 600
_STATUSES = ("False", "True", "Unknown")
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign",
    "data encipherment", "decipher only", "digital signature", "email protection",
    "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth",
    "signing", "timestamping",
)  # fmt: skip
_REQUEST_PROBLEM = "PEM block type must be CERTIFICATE REQUEST"
_PEM_BLOCK = re.compile(
    rb"-----BEGIN (?P<type>[^\n-]+)-----\s*\n(?P<headers>(?:[^\n:]+:[^\n]*\n)*)"
    rb"(?P<body>[A-Za-z0-9+/=\s]*?)-----END (?P=type)-----"
)


def _fill(call: Call, new: KubeObject, old: KubeObject | None) -> None:
    if old is None:
        _stamp_requester(call, new["spec"])
        new["status"] = {}
        return
    wanted = new.get("status", {}).get("conditions")
    new["spec"] = deepcopy(old["spec"])
    match call.subresource:
        case "":
            new["status"] = deepcopy(old.get("status", {}))
        case "approval":
            new["status"] = {**deepcopy(old.get("status", {})), "conditions": wanted or []}
            _stamp_conditions(call, new, old)
        case _:
            _keep_verdicts(new, old)
            _stamp_conditions(call, new, old)
    if not new["status"].get("conditions"):
        new["status"].pop("conditions", None)


def _stamp_requester(call: Call, spec: KubeObject) -> None:
    for field in ("username", "uid", "groups", "extra"):
        spec.pop(field, None)
    stamped = {
        "username": call.user.name,
        "uid": call.user.uid,
        "groups": list(call.user.groups),
        "extra": {key: list(values) for key, values in call.user.extra.items()},
    }
    spec.update({field: value for field, value in stamped.items() if value})


def _keep_verdicts(new: KubeObject, old: KubeObject) -> None:
    """Put the verdicts back that are there; whether some came or went is checked later."""
    conditions = new.setdefault("status", {}).get("conditions", [])
    for verdict in (APPROVED, DENIED):
        before = _conditions(old, verdict)
        places = [i for i, condition in enumerate(conditions) if condition.get("type") == verdict]
        if len(places) == len(before):
            for place, condition in zip(places, before, strict=True):
                conditions[place] = deepcopy(condition)


def _stamp_conditions(call: Call, new: KubeObject, old: KubeObject) -> None:
    now = format_time(call.now)
    for condition in new["status"].get("conditions", ()):
        condition["lastUpdateTime"] = condition.get("lastUpdateTime") or now
        if not condition.get("lastTransitionTime"):
            known = (
                before.get("lastTransitionTime")
                for before in _conditions(old, condition.get("type", ""))
                if before.get("status") == condition.get("status")
            )
            condition["lastTransitionTime"] = next(filter(None, known), None) or now


def _check(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    spec = new["spec"]
    yield from _check_request(spec)
    yield from _check_usages(spec.get("usages", []))
    yield from _check_signer(spec.get("signerName", ""))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST_SECONDS:
        told = "may not specify a duration less than 600 seconds (10 minutes)"
        yield invalid_value("spec.expirationSeconds", seconds, told)
    yield from _check_conditions(new)
    certificate = at(new, "status.certificate") or ""
    if old is None or certificate != (at(old, "status.certificate") or ""):
        problem = _certificate_problem(base64.b64decode(certificate))
        if problem:
            yield invalid_value("status.certificate", "<certificate data>", problem)
    if old is not None:
        yield from _check_changes(call, new, old)
    yield from _check_verdicts_exclude(new)


def _check_request(spec: KubeObject) -> Iterator[Cause]:
    found = spec["request"]
    if _is_certificate_request(base64.b64decode(found or "")):
        return
    yield invalid_value("spec.request", found, _REQUEST_PROBLEM)


def _is_certificate_request(pem: bytes) -> bool:
    block = _PEM_BLOCK.search(pem)
    if block is None or block["type"] != b"CERTIFICATE REQUEST":
        return False
    try:
        der = base64.b64decode(block["body"])
        return x509.load_der_x509_csr(der).is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False


def _check_usages(usages: list[str]) -> Iterator[Cause]:
    if not usages:
        yield required("spec.usages")
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            yield unsupported(f"spec.usages[{index}]", usage, _USAGES)
    for index, usage in enumerate(usages):
        if usage in usages[:index]:
            yield duplicate(f"spec.usages[{index}]", usage)


def _check_signer(name: str) -> Iterator[Cause]:
    where = "spec.signerName"
    domain, slash, path = name.partition("/")
    if not name:
        yield required(where)
    elif name == _LEGACY_SIGNER:
        told = "the legacy signerName is not allowed via this API version"
        yield invalid_value(where, name, told)
    elif not slash or "/" in path:
        told = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield invalid_value(where, name, told)
    else:
        if len(domain) > 253:
            yield too_long(where, 253)
        labels = domain.split(".")
        if len(labels) < 2:
            told = "should be a domain with at least two segments separated by dots"
            yield invalid_value(where, domain, told)
        for label in labels:
            for problem in dns_label(label):
                yield invalid_value(where, domain, f'validating label "{label}": {problem}')
        for label in path.split("."):
            for problem in dns_subdomain(label):
                yield invalid_value(where, path, f'validating label "{label}": {problem}')
        if len(name) > _LONGEST_SIGNER:
            yield too_long(where, _LONGEST_SIGNER)


def _check_conditions(new: KubeObject) -> Iterator[Cause]:
    seen = set()
    for index, condition in enumerate(at(new, "status.conditions") or ()):
        where = f"status.conditions[{index}]"
        kind, status = condition.get("type", ""), condition.get("status", "")
        if not kind:
            yield required(f"{where}.type")
        allowed = ("True",) if kind in (APPROVED, DENIED, FAILED) else _STATUSES
        if not status:
            yield required(f"{where}.status")
        elif status not in allowed:
            yield unsupported(f"{where}.status", status, allowed)
        if kind in seen:
            yield duplicate(f"{where}.type", kind)
        seen.add(kind)


def _check_verdicts_exclude(new: KubeObject) -> Iterator[Cause]:
    if _conditions(new, APPROVED) and _conditions(new, DENIED):
        both = [f'conditions[{{"type": "{verdict}"}}]' for verdict in (APPROVED, DENIED)]
        ticked = ", ".join(f"`{one}`" for one in both)
        value = f"{{{', '.join(both)}}}"
        told = f"must specify at most one of: {ticked}"
        yield invalid_value("status.conditions", value, told)


def _check_changes(call: Call, new: KubeObject, old: KubeObject) -> Iterator[Cause]:
    where = "status.conditions"
    for kind in (APPROVED, DENIED, FAILED):
        if len(_conditions(new, kind)) < len(_conditions(old, kind)):
            told = f'updates may not remove a condition of type "{kind}"'
            yield forbidden_field(where, told)
    if call.subresource != "approval":
        for kind in (APPROVED, DENIED):
            if len(_conditions(new, kind)) > len(_conditions(old, kind)):
                told = f'updates may not add a condition of type "{kind}"'
                yield forbidden_field(where, told)
    before, now = at(old, "status.certificate"), at(new, "status.certificate")
    if now != before:
        if call.subresource != "status":
            yield forbidden_field("status.certificate", "updates may not set certificate content")
        elif before:
            told = "updates may not modify existing certificate content"
            yield forbidden_field("status.certificate", told)


def _conditions(csr: KubeObject, kind: str) -> list[KubeObject]:
    found = at(csr, "status.conditions") or ()
    return [condition for condition in found if condition.get("type") == kind]


def _certificate_problem(pem: bytes) -> str | None:
    if not pem:
        return None
    blocks = list(_PEM_BLOCK.finditer(pem))
    for block in blocks:
        if block["type"] != b"CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{block["type"].decode()}"'
        if block["headers"]:
            return "no PEM block headers are permitted"
        try:
            x509.load_der_x509_certificate(base64.b64decode(block["body"]))
        except ValueError:
            return "x509: malformed certificate"
    return None if blocks else "must contain at least one CERTIFICATE PEM block"


TRAITS = {
    StorageKey(CERTIFICATE_SIGNING_REQUESTS.group, CERTIFICATE_SIGNING_REQUESTS.plural): Traits(
        fill=_fill,
        check=_check,
        check_name=path_segment,
        selectable=selectable("spec.signerName"),
    ),
}
