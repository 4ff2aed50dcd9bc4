"""Requests for certificates: what a caller may say, and what only the server says."""

import base64
from copy import deepcopy
from typing import Any

import pytest

from support.built_in_kinds import complaints, created, kind_of, written
from towline_api.resources import KubeObject
from towline_certs.identities import Subject
from towline_certs.keys import generate_key
from towline_certs.requests import build_request

CSRS = kind_of("certificates.k8s.io/v1", "certificatesigningrequests")
PEM = build_request(generate_key(), subject=Subject("u1", frozenset()))
NOW = "2026-03-04T05:06:07Z"


def text(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def request(**spec: Any) -> KubeObject:
    base = {"request": text(PEM), "signerName": "example.com/s", "usages": ["client auth"]}
    return {"metadata": {"name": "r"}, "spec": {**base, **spec}}


def pending() -> KubeObject:
    return created(CSRS, request())


def with_conditions(*conditions: KubeObject) -> KubeObject:
    return {**pending(), "status": {"conditions": [dict(one) for one in conditions]}}


def verdict(kind: str, **more: str) -> KubeObject:
    return {"type": kind, "status": "True", **more}


def test_who_asks_is_stamped_by_the_server() -> None:
    """The approver trusts these fields; a caller must not be able to write them."""
    lies = {"username": "admin", "uid": "0", "groups": ["system:masters"], "extra": {"a": ["b"]}}
    found = created(CSRS, {**request(**lies), "status": {"certificate": "YQ=="}})
    assert found["spec"]["username"] == "somebody"
    assert found["spec"]["uid"] == "an-uid"
    assert found["spec"]["groups"] == ["some-group", "system:authenticated"]
    assert found["spec"]["extra"] == {"k": ["v"]}
    assert found["status"] == {}
    assert complaints(CSRS, found) == []


def test_a_request_cannot_be_rewritten() -> None:
    """What was approved is what is signed."""
    old = pending()
    for subresource in ("", "status", "approval"):
        changed = {**deepcopy(old), "spec": {**old["spec"], "signerName": "other.com/s"}}
        assert written(CSRS, changed, old, subresource=subresource)["spec"] == old["spec"]


def test_an_update_of_the_object_approves_nothing() -> None:
    """Approval goes through its own door, which asks for its own permission."""
    old = pending()
    changed = {**deepcopy(old), "status": {"conditions": [verdict("Approved")]}}
    assert written(CSRS, changed, old)["status"] == {}


def test_approving_changes_conditions_alone_and_stamps_them() -> None:
    """Whoever may approve may not bring a certificate."""
    old = pending()
    changed = with_conditions(verdict("Approved", reason="r"))
    changed["status"]["certificate"] = "YQ=="
    found = written(CSRS, changed, old, subresource="approval")
    stamped = verdict("Approved", reason="r", lastUpdateTime=NOW, lastTransitionTime=NOW)
    assert found["status"] == {"conditions": [stamped]}
    assert complaints(CSRS, found, old, subresource="approval") == []


def test_a_condition_that_stays_keeps_its_time() -> None:
    """When it became true is not when somebody touched it again."""
    long_ago = "2020-01-01T00:00:00Z"
    old = with_conditions(verdict("Approved", lastTransitionTime=long_ago, lastUpdateTime=long_ago))
    again = with_conditions(verdict("Approved", reason="again"))
    (found,) = written(CSRS, again, old, subresource="approval")["status"]["conditions"]
    assert (found["lastTransitionTime"], found["lastUpdateTime"]) == (long_ago, NOW)


def test_the_signer_cannot_touch_the_verdict() -> None:
    """A status update with other words about the approval keeps the words that are there."""
    old = with_conditions(
        verdict("Approved", reason="mine", lastUpdateTime=NOW, lastTransitionTime=NOW)
    )
    changed = with_conditions(verdict("Approved", reason="other"), verdict("Foo"))
    first, second = written(CSRS, changed, old, subresource="status")["status"]["conditions"]
    assert (first["reason"], second["type"]) == ("mine", "Foo")


BLOCK_RULE = 'Invalid value: "aGVsbG8=": PEM block type must be CERTIFICATE REQUEST'
SHORT_RULE = "Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)"
PATH_RULE = (
    'Invalid value: "foo": must be a fully qualified domain and path of the form '
    "'example.com/signer-name'"
)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"request": text(b"hello")}, [f"spec.request: {BLOCK_RULE}"]),
        ({"usages": []}, ["spec.usages: Required value"]),
        ({"signerName": ""}, ["spec.signerName: Required value"]),
        ({"signerName": "foo"}, [f"spec.signerName: {PATH_RULE}"]),
        (
            {"signerName": "foo/bar"},
            [
                (
                    'spec.signerName: Invalid value: "foo": should be a domain with at least two '
                    "segments separated by dots"
                )
            ],
        ),
        (
            {"signerName": "kubernetes.io/legacy-unknown"},
            [
                (
                    'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy '
                    "signerName is not allowed via this API version"
                )
            ],
        ),
        ({"expirationSeconds": 599}, [f"spec.expirationSeconds: {SHORT_RULE}"]),
        ({"expirationSeconds": 600}, []),
        (
            {"usages": ["client auth", "client auth"]},
            ['spec.usages[1]: Duplicate value: "client auth"'],
        ),
    ],
)
def test_a_bad_request_is_refused(spec: KubeObject, told: list[str]) -> None:
    """Each rule in the real server's words."""
    assert complaints(CSRS, created(CSRS, request(**spec))) == told


def test_a_request_signed_by_another_key_is_refused() -> None:
    """Nobody gets a certificate for a key that is not theirs."""
    body = base64.b64decode(b"".join(PEM.splitlines()[1:-1]))
    broken = base64.encodebytes(body[:-1] + bytes([body[-1] ^ 1]))
    pem = b"\n".join([PEM.splitlines()[0], broken.strip(), PEM.splitlines()[-1]]) + b"\n"
    (told,) = complaints(CSRS, created(CSRS, request(request=text(pem))))
    assert told.endswith(": PEM block type must be CERTIFICATE REQUEST")


def test_unknown_usages_are_named_with_those_there_are() -> None:
    """The list is in the message, since nobody knows it by heart."""
    (told,) = complaints(CSRS, created(CSRS, request(usages=["sgc"])))
    assert told.startswith(
        'spec.usages[0]: Unsupported value: "sgc": supported values: "any", "cert sign", '
    )


EXCLUDE = (
    'status.conditions: Invalid value: "{conditions[{\\"type\\": \\"Approved\\"}], '
    'conditions[{\\"type\\": \\"Denied\\"}]}": must specify at most one of: '
    '`conditions[{"type": "Approved"}]`, `conditions[{"type": "Denied"}]`'
)


@pytest.mark.parametrize(
    ("before", "now", "subresource", "told"),
    [
        (
            [],
            [verdict("Approved") | {"status": "False"}],
            "approval",
            ['status.conditions[0].status: Unsupported value: "False": supported values: "True"'],
        ),
        (
            [],
            [{"type": "Approved"}],
            "approval",
            ["status.conditions[0].status: Required value"],
        ),
        ([], [verdict("Approved"), verdict("Denied")], "approval", [EXCLUDE]),
        (
            [],
            [verdict("Foo"), verdict("Foo")],
            "approval",
            ['status.conditions[1].type: Duplicate value: "Foo"'],
        ),
        (
            [verdict("Approved")],
            [],
            "approval",
            [
                (
                    "status.conditions: Forbidden: updates may not remove a condition of type "
                    '"Approved"'
                )
            ],
        ),
        (
            [],
            [verdict("Denied")],
            "status",
            ['status.conditions: Forbidden: updates may not add a condition of type "Denied"'],
        ),
        ([], [verdict("Failed")], "status", []),
    ],
)
def test_conditions_come_and_go_by_rules(
    before: list[KubeObject], now: list[KubeObject], subresource: str, told: list[str]
) -> None:
    """A verdict is final, and only an approver gives one."""
    old, new = with_conditions(*before), with_conditions(*now)
    assert complaints(CSRS, new, old, subresource=subresource) == told


def certificate(pem: bytes) -> KubeObject:
    return {**pending(), "status": {"certificate": text(pem)}}


HEADERS = b"-----BEGIN CERTIFICATE-----\nFoo: bar\n\nYQ==\n-----END CERTIFICATE-----\n"
BROKEN = b"-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        (b"hello", "must contain at least one CERTIFICATE PEM block"),
        (PEM, 'only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"'),
        (HEADERS, "no PEM block headers are permitted"),
        (BROKEN, "x509: malformed certificate"),
    ],
)
def test_only_certificates_are_taken_for_certificates(pem: bytes, told: str) -> None:
    """A signer's mistake is caught before an agent loads it."""
    found = complaints(CSRS, certificate(pem), pending(), subresource="status")
    assert found == [f'status.certificate: Invalid value: "<certificate data>": {told}']


def test_an_issued_certificate_stays() -> None:
    """An agent may be reading it."""
    forbidden = "status.certificate: Forbidden: updates may not modify existing certificate content"
    old = certificate(b"kept as it is, however bad")
    assert complaints(CSRS, old, old, subresource="status") == []
    assert forbidden in complaints(CSRS, certificate(BROKEN), old, subresource="status")
    assert complaints(CSRS, pending(), old, subresource="status") == [forbidden]
