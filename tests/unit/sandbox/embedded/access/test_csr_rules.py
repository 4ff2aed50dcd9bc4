"""Who may approve and sign certificate requests, and what nobody may request."""

import base64
from typing import Any

import pytest

from support.kinds import call_for
from support.policies import ALICE, binding, group, put, role, rule
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_certs.identities import Subject
from towline_certs.keys import generate_key
from towline_certs.requests import build_request
from towline_sandbox.embedded.access import Authorizer, CsrRules
from towline_sandbox.embedded.access.csr_rules import CLIENT_SIGNER
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

CERTIFICATES = (CERTIFICATE_SIGNING_REQUESTS.group,)


def _request(
    *, signer: str = CLIENT_SIGNER, groups: tuple[str, ...] = (), **status: Any
) -> KubeObject:
    pem = build_request(generate_key(), subject=Subject("c1", frozenset(groups)))
    return {
        "metadata": {"name": "r"},
        "spec": {"signerName": signer, "request": base64.b64encode(pem).decode()},
        "status": status,
    }


async def _write(
    subresource: str,
    new: KubeObject,
    *,
    old: KubeObject | None = None,
    verb: str = "",
    signers: tuple[str, ...] = (),
) -> None:
    """Write as somebody who may do `verb` with these signers."""
    store = put(
        Store(),
        role("own", rule(verb, "signers", groups=CERTIFICATES, names=signers)),
        binding("own", "own", group("devs")),
    )
    call = call_for(
        CERTIFICATE_SIGNING_REQUESTS, "update", ALICE, name="r", subresource=subresource
    )
    await CsrRules(Authorizer(store))(call, new, old)


@pytest.mark.parametrize(
    ("signers", "is_allowed"),
    [
        pytest.param((CLIENT_SIGNER,), True, id="this-signer"),
        pytest.param(("kubernetes.io/*",), True, id="all-of-its-domain"),
        pytest.param(("example.com/*", "kubernetes.io/other"), False, id="others"),
    ],
)
@pytest.mark.parametrize(
    ("subresource", "verb", "change"),
    [
        pytest.param("approval", "approve", {"conditions": [{"type": "Approved"}]}, id="approve"),
        pytest.param("status", "sign", {"certificate": "QQ=="}, id="sign"),
        pytest.param("status", "sign", {"conditions": [{"type": "Failed"}]}, id="fail"),
    ],
)
async def test_a_decision_takes_a_right_on_the_signer(
    subresource: str, verb: str, change: dict[str, Any], signers: tuple[str, ...], is_allowed: bool
) -> None:
    """Approving for one signer must not be approving for all."""
    old = _request()
    new = {**old, "status": change}
    if is_allowed:
        await _write(subresource, new, old=old, verb=verb, signers=signers)
        return
    with pytest.raises(ApiFailure) as failure:
        await _write(subresource, new, old=old, verb=verb, signers=signers)
    assert failure.value.code == 403
    assert failure.value.message == (
        'certificatesigningrequests.certificates.k8s.io "r" is forbidden: user not permitted to '
        f'{verb} requests with signerName "{CLIENT_SIGNER}"'
    )


async def test_the_signer_that_counts_is_the_stored_one() -> None:
    """Naming another signer in the same write must not help."""
    with pytest.raises(ApiFailure):
        await _write(
            "approval",
            _request(signer="example.com/mine"),
            old=_request(),
            verb="approve",
            signers=("example.com/mine",),
        )


async def test_other_changes_of_the_status_need_no_right_on_the_signer() -> None:
    """Only certificate and conditions are a decision."""
    old = _request()
    labelled = {**old, "metadata": {"name": "r", "labels": {"a": "b"}}}
    await _write("status", labelled, old=old)


@pytest.mark.parametrize(
    ("signer", "is_allowed"),
    [(CLIENT_SIGNER, False), ("example.com/own", True)],
)
async def test_nobody_requests_to_be_a_master(signer: str, is_allowed: bool) -> None:
    """An approver's slip would be full control of the cluster."""
    request = _request(signer=signer, groups=("other", "system:masters"))
    if is_allowed:
        await _write("", request)
        return
    with pytest.raises(ApiFailure) as failure:
        await _write("", request)
    assert failure.value.message.endswith(
        "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    )


async def test_other_groups_may_be_requested() -> None:
    """They are for approvers to judge."""
    await _write("", _request(groups=("system:masters2",)))
