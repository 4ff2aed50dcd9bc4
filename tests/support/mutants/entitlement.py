"""A second opinion: is whoever asks entitled to exactly what is asked for, as things stand?

Written from the rules as people are told them, on the X.509 library and a reader of DER of its own,
and sharing no code with the policy. It answers for any request object, good or bad.
"""

import base64
import re
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from towline_api.timestamps import parse_time
from towline_certs import ApprovalContext

_CLUSTER = "open-cluster-management.io/cluster-name"
_ADDON = "open-cluster-management.io/addon-name"
_KUBE = "kubernetes.io/kube-apiserver-client"
_FLEET = "system:bootstrappers:managedcluster"
_OCM = "system:open-cluster-management"

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_IS_LABEL = re.compile(_LABEL)
_IS_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_AGENT = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?"
_CLUSTER_AGENT = re.compile(rf"{_OCM}:(?P<cluster>{_LABEL}):(?P<agent>{_AGENT})")
_ADDON_AGENT = re.compile(
    rf"{_OCM}:cluster:(?P<cluster>{_LABEL}):addon:(?P<addon>{_LABEL}(?:\.{_LABEL})*)"
    rf":agent:(?P<agent>{_AGENT})"
)
_PEM = re.compile(
    rb"\s*-----BEGIN CERTIFICATE REQUEST-----[ \t]*\r?\n(?P<body>[A-Za-z0-9+/=\s]*)"
    rb"-----END CERTIFICATE REQUEST-----\s*"
)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]+")
_PURPOSES = {"client auth": "1.3.6.1.5.5.7.3.2", "server auth": "1.3.6.1.5.5.7.3.1"}
_KEY_WORDS = {"digital signature", "key encipherment"}
_HOUR = timedelta(hours=1)


class Asked(NamedTuple):
    """What a certificate request asks for."""

    common_name: str
    organizations: frozenset[str]
    units: frozenset[str]
    dns_names: tuple[str, ...] | None
    purposes: frozenset[str]
    key_kind: str


def is_entitled(csr: dict[str, Any], context: ApprovalContext) -> bool:
    """Return whether a request should be approved in these surroundings."""
    try:
        return _is_entitled(csr, context)
    except _No:
        return False


class _No(Exception):  # noqa: N818 - an answer
    """Not entitled."""


def _need(condition: object) -> None:
    if not condition:
        raise _No


def _is_entitled(csr: dict[str, Any], context: ApprovalContext) -> bool:
    spec, status = csr["spec"], csr["status"]
    decisions = {each["type"] for each in status.get("conditions", ())}
    _need(not decisions & {"Approved", "Denied", "Failed"} and not status.get("certificate"))
    labels = csr["metadata"]["labels"]
    cluster, addon = labels.get(_CLUSTER), labels.get(_ADDON)
    _need(cluster is not None and _IS_LABEL.fullmatch(cluster) and cluster != "managed-clusters")
    _need(addon is None or (_IS_SUBDOMAIN.fullmatch(addon) and len(addon) <= 63))
    if not context.operator_accepts:
        _has_room(context)
    seconds = spec.get("expirationSeconds")
    if seconds is not None:
        _need(
            context.min_lifetime.total_seconds() <= seconds <= context.max_lifetime.total_seconds()
        )
    asked = _read(spec["request"])
    _need(asked is not None)
    assert asked is not None
    _need(asked.key_kind in {kind.value for kind in context.key_kinds})
    if addon is None:
        _cluster_request(csr, context, asked, cluster)
    else:
        _addon_request(csr, context, asked, cluster, addon)
    return True


def _has_room(context: ApprovalContext) -> None:
    limits, traffic = context.limits, context.traffic
    _need(traffic.older_pending < limits.max_pending)
    if limits.max_per_hour:
        recent = [when for when in traffic.decided if context.now - when < _HOUR]
        _need(len(recent) + traffic.older_pending < limits.max_per_hour)


def _cluster_request(
    csr: dict[str, Any], context: ApprovalContext, asked: Asked, cluster: str
) -> None:
    spec, state = csr["spec"], context.cluster
    user, groups = spec["username"], spec["groups"]
    named = _CLUSTER_AGENT.fullmatch(asked.common_name)
    _need(named is not None and named["cluster"] == cluster)
    _need(asked.organizations == {f"{_OCM}:{cluster}", f"{_OCM}:managed-clusters"})
    _need(not asked.units and asked.dns_names is None)
    _need(spec["signerName"] == _KUBE)
    _is_for_clients(spec["usages"], asked, {"client auth"})
    agent = _agent(user)
    _need(agent is None or agent == ("cluster", cluster))
    bound, means_to_be_bound = _bound(groups)
    _need(not means_to_be_bound or bound == cluster)
    if state is not None:
        _need(not state.deleting)
        _need(state.removed_at is None or _created(csr) >= state.removed_at)
    if context.operator_accepts:
        # A person answers for who asks; an agent that renews is still to be one of the hub's.
        if user == asked.common_name:
            _need(state is not None and state.accepted and not state.denied)
        return
    _need(cluster not in context.manual.clusters)
    _need(not context.manual.requesters or user in context.manual.requesters)
    if user == asked.common_name:
        _need(state is not None and state.accepted and not state.denied)
        _need(context.may_renew is True)
        return
    _need(agent is None)
    if bound is None:
        _need(user in context.bootstrap.users or set(groups) & context.bootstrap.groups)
        _need(state is None or not state.has_live_identity)
    _need(state is None or not state.denied)


def _addon_request(
    csr: dict[str, Any], context: ApprovalContext, asked: Asked, cluster: str, addon: str
) -> None:
    spec, state = csr["spec"], context.cluster
    agent = _agent(spec["username"])
    if not context.operator_accepts:
        _need(agent == ("cluster", cluster))
        _need(not {addon, f"{cluster}/{addon}"} & context.manual.addons)
        wanted = context.manual.requesters
        _need(not wanted or spec["username"] in wanted)
    elif agent is not None:
        _need(agent == ("cluster", cluster))
    else:
        # Bootstrap identities are never in a position to have add-ons.
        _need(not _bound(spec["groups"])[1])
        _need(spec["username"] not in context.bootstrap.users)
        _need(not set(spec["groups"]) & context.bootstrap.groups)
    _need(state is not None and state.accepted and not state.denied and not state.deleting)
    assert state is not None
    _need(state.removed_at is None or _created(csr) >= state.removed_at)
    _need(context.addon is not None)
    assert context.addon is not None
    made = context.addon.created
    _need(made is None or _created(csr) >= made)
    usual = f"{addon}.addon.open-cluster-management.io"
    dns = sorted(asked.dns_names or ())
    signer = spec["signerName"]
    registered = [each for each in context.addon.registrations if each.signer_name == signer]
    group = f"{_OCM}:cluster:{cluster}:addon:{addon}"
    if signer == _KUBE:
        _need(dns == [usual] and not asked.units)
        _need(re.fullmatch(rf"{re.escape(group)}:agent:{_AGENT}", asked.common_name))
        own = {group, f"{_OCM}:addon:{addon}"}
        _need(asked.organizations - {"system:authenticated"} == own)
        _need(
            any(
                each.subject.common_name == asked.common_name
                and each.subject.organizations - {"system:authenticated"} == own
                and not each.subject.organizational_units
                for each in registered
            )
        )
        _is_for_clients(spec["usages"], asked, {"client auth"})
        return
    _need(signer in context.signers)
    domain = signer.split("/")[0]
    _need(not re.fullmatch(r"(?:.*\.)?(?:kubernetes\.io|k8s\.io)", domain))
    other = _agent(asked.common_name)
    _need(other is None or other[1] == cluster)
    subject = (asked.common_name, asked.organizations, asked.units)
    # Where a subject is registered twice with one signer, the first one counts.
    for each in registered:
        found = each.subject
        if (found.common_name, found.organizations, found.organizational_units) == subject:
            _need(dns in ([usual], sorted({usual, *each.dns_names})))
            _is_for_clients(spec["usages"], asked, set(each.extended_usages))
            return
    raise _No


def _is_for_clients(usages: list[str], asked: Asked, extended: set[str]) -> None:
    known = extended & set(_PURPOSES)
    _need(len(usages) == len(set(usages)))
    _need(set(usages) in (_KEY_WORDS | {"client auth"}, _KEY_WORDS | known))
    _need(asked.purposes <= {_PURPOSES[word] for word in known | {"client auth"}})


def _agent(user: str) -> tuple[str, str] | None:
    """Return what kind of agent a user is, and whose."""
    for kind, pattern in (("cluster", _CLUSTER_AGENT), ("addon", _ADDON_AGENT)):
        found = pattern.fullmatch(user)
        if found is not None and found["cluster"] != "managed-clusters":
            if kind == "addon" and len(found["addon"]) > 63:
                continue
            return kind, found["cluster"]
    return None


def _bound(groups: list[str]) -> tuple[str | None, bool]:
    """Return the one cluster that groups bind to, and whether they mean to bind at all."""
    ends = [group[len(_FLEET) + 1 :] for group in groups if group.startswith(f"{_FLEET}:")]
    good = {end for end in ends if _IS_LABEL.fullmatch(end) and end != "managed-clusters"}
    return (good.pop() if len(good) == 1 else None), bool(ends)


def _created(csr: dict[str, Any]) -> Any:
    return parse_time(csr["metadata"]["creationTimestamp"])


# From here on: the certificate request itself.


@lru_cache(maxsize=8192)
def _read(text: str) -> Asked | None:
    try:
        return _read_der(_unwrap(text))
    except (_No, ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None


def _unwrap(text: str) -> bytes:
    _need(_BASE64.fullmatch(text))
    pem = base64.b64decode(text)
    _need(len(pem) <= 16 * 1024)
    found = _PEM.fullmatch(pem)
    _need(found is not None)
    assert found is not None
    body = re.sub(rb"[ \t\r\n\x0b\x0c]+", b"", found["body"]).decode()
    _need(body and _BASE64.fullmatch(body))
    raw = base64.b64decode(body)
    # The last letter of base64 has bits to spare.
    _need(base64.b64encode(raw).decode() == body)
    return raw


def _read_der(raw: bytes) -> Asked:
    (whole,) = _elements(raw)
    _need(whole[0] == 0x30)
    info, _, signature = _elements(whole[1])
    _need(info[0] == 0x30 and signature[0] == 0x03 and signature[1][:1] == b"\x00")
    parts = _elements(info[1])
    _need(3 <= len(parts) <= 4)
    _need(parts[1][0] == 0x30)
    common, organizations, units = _subject(parts[1][1])
    requested = 0
    if len(parts) == 4:
        _need(parts[3][0] == 0xA0)
        for tag, content in _elements(parts[3][1]):
            _need(tag == 0x30)
            oid, values = _elements(content)
            _need(oid == (0x06, bytes.fromhex("2a864886f70d01090e")))
            _need(values[0] == 0x31 and len(_elements(values[1])) == 1)
            requested += 1
    _need(requested <= 1)
    request = x509.load_der_x509_csr(raw)
    key = request.public_key()
    kind = _kind(key)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        algorithm = request.signature_hash_algorithm
        _need(algorithm is not None and algorithm.name in {"sha256", "sha384", "sha512"})
    dns, purposes = _extensions(request)
    _need(request.is_signature_valid)  # last: nothing here costs more
    return Asked(common, organizations, units, dns, purposes, kind)


def _subject(content: bytes) -> tuple[str, frozenset[str], frozenset[str]]:
    found: dict[str, list[str]] = {"030455": [], "0a0455": [], "0b0455": []}
    for tag, rdn in _elements(content):
        _need(tag == 0x31)
        members = _elements(rdn)
        _need(members)
        kinds = set()
        for inner, attribute in members:
            _need(inner == 0x30)
            oid, value = _elements(attribute)
            _need(oid[0] == 0x06)
            kind = oid[1][::-1].hex()
            _need(kind in found)
            _need(value[0] in {0x0C, 0x13} and value[1])
            text = value[1].decode("utf-8")
            _need(value[0] == 0x0C or _PRINTABLE.fullmatch(text))
            found[kind].append(text)
            kinds.add(kind)
        _need(len(kinds) == 1)
    for values in found.values():
        _need(len(values) == len(set(values)))
    _need(len(found["030455"]) == 1)
    return found["030455"][0], frozenset(found["0a0455"]), frozenset(found["0b0455"])


def _extensions(request: x509.CertificateSigningRequest) -> tuple[Any, frozenset[str]]:
    dns: tuple[str, ...] | None = None
    purposes: frozenset[str] = frozenset()
    for extension in request.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            _need(all(isinstance(name, x509.DNSName) for name in value))
            dns = tuple(name.value for name in value)
        elif isinstance(value, x509.BasicConstraints):
            _need(not value.ca)
        elif isinstance(value, x509.KeyUsage):
            rights = (
                value.content_commitment,
                value.data_encipherment,
                value.key_agreement,
                value.key_cert_sign,
                value.crl_sign,
            )
            _need(not any(rights))
        elif isinstance(value, x509.ExtendedKeyUsage):
            purposes = frozenset(each.dotted_string for each in value)
        else:
            raise _No
    return dns, purposes


def _kind(key: object) -> str:
    match key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return "ecdsa-p256"
        case ec.EllipticCurvePublicKey(curve=ec.SECP384R1()):
            return "ecdsa-p384"
        case rsa.RSAPublicKey(key_size=(2048 | 3072 | 4096) as bits):
            return f"rsa-{bits}"
        case ed25519.Ed25519PublicKey():
            return "ed25519"
    raise _No


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each element of DER; nothing but DER is let through."""
    found, at = [], 0
    while at < len(data):
        tag = data[at]
        _need(tag & 0x1F != 0x1F and at + 2 <= len(data))
        length, at = data[at + 1], at + 2
        if length >= 0x80:
            count = length - 0x80
            _need(0 < count <= 4 and at + count <= len(data))
            digits, at = data[at : at + count], at + count
            length = int.from_bytes(digits, "big")
            _need(digits[0] and length >= 0x80)
        _need(at + length <= len(data))
        found.append((tag, data[at : at + length]))
        at += length
    return found
