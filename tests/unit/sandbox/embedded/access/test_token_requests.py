"""TokenRequests: what is issued, and what is refused in which words."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.kinds import call_for
from support.policies import ALICE, NOW
from towline_api.resources import SERVICE_ACCOUNTS, KubeObject
from towline_sandbox.embedded.access import AccountTokens, TokenRequests
from towline_sandbox.embedded.access.account_tokens import ISSUER
from towline_sandbox.embedded.access.review_bodies import read_token_request
from towline_sandbox.embedded.access.stored_kinds import POD_KEY, SERVICE_ACCOUNT_KEY
from towline_sandbox.embedded.access.web_tokens import find_claims
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

CALL = call_for(
    SERVICE_ACCOUNTS, "create", ALICE, namespace="ns1", name="agent", subresource="token"
)


@pytest.fixture
def requests() -> TokenRequests:
    """Return what answers requests in a cluster with one account, and one pod of its."""
    store = Store()
    metadata = {"namespace": "ns1", "name": "agent", "uid": "u1"}
    store.create(SERVICE_ACCOUNT_KEY, {"metadata": metadata})
    for name, account in (("own", "agent"), ("other", "default")):
        store.create(
            POD_KEY,
            {
                "metadata": {"namespace": "ns1", "name": name, "uid": f"{name}-uid"},
                "spec": {"serviceAccountName": account, "nodeName": "n1"},
            },
        )
    key = ec.generate_private_key(ec.SECP256R1())
    return TokenRequests(store, AccountTokens(store, key=key, now=lambda: NOW), lambda: NOW)


async def _post(requests: TokenRequests, request: KubeObject) -> KubeObject:
    return await requests.create_token(CALL, read_token_request(CALL, request))


def _claims(answer: KubeObject) -> dict[str, Any]:
    claims = find_claims(answer["status"]["token"])
    assert claims is not None
    return claims


async def test_a_bare_request_is_for_the_api_server_and_an_hour(requests: TokenRequests) -> None:
    """The defaults of Kubernetes, shown in the answer."""
    answer = await _post(requests, {"spec": {}})
    del answer["metadata"]["managedFields"]
    assert answer["metadata"] == {
        "name": "agent",
        "namespace": "ns1",
        "uid": "u1",
        "creationTimestamp": "2026-01-31T12:00:00Z",
    }
    assert answer["spec"] == {
        "audiences": [ISSUER],
        "expirationSeconds": 3600,
        "boundObjectRef": None,
    }
    assert answer["status"]["expirationTimestamp"] == "2026-01-31T13:00:00Z"
    claims = _claims(answer)
    assert claims["sub"] == "system:serviceaccount:ns1:agent"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["kubernetes.io"] == {
        "namespace": "ns1",
        "serviceaccount": {"name": "agent", "uid": "u1"},
    }


async def test_a_token_can_be_bound_to_a_pod_of_the_account(requests: TokenRequests) -> None:
    """The node it runs on is named with it, even if there is no such node."""
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "own"}
    answer = await _post(requests, {"spec": {"boundObjectRef": reference}})
    private = _claims(answer)["kubernetes.io"]
    assert private["pod"] == {"name": "own", "uid": "own-uid"}
    assert private["node"] == {"name": "n1"}


async def test_what_kubelets_ask_for_lasts_a_year(requests: TokenRequests) -> None:
    """Old programs read the token once; its answer still says an hour."""
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "own"}
    spec = {"boundObjectRef": reference, "expirationSeconds": 3607}
    answer = await _post(requests, {"spec": spec})
    claims = _claims(answer)
    assert claims["exp"] - claims["iat"] == timedelta(days=365).total_seconds()
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
    assert answer["status"]["expirationTimestamp"] == "2026-01-31T13:00:07Z"


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        pytest.param(
            {"spec": {"expirationSeconds": 599}},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid '
            "value: 599: may not specify a duration less than 10 minutes",
            id="too-short",
        ),
        pytest.param(
            {"spec": {"expirationSeconds": 2**32 + 1}},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid '
            "value: 4294967297: may not specify a duration larger than 2^32 seconds",
            id="too-long",
        ),
        pytest.param(
            {"metadata": {"name": "other"}},
            422,
            'TokenRequest.authentication.k8s.io "agent" is invalid: metadata.name: Invalid value: '
            '"other": must match the service account name if specified',
            id="other-name",
        ),
        pytest.param(
            {"metadata": {"uid": "u2"}},
            409,
            'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "agent": the UID '
            "in the token request (u2) does not match the UID of the service account (u1)",
            id="other-uid",
        ),
        pytest.param(
            {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "gone"}}},
            404,
            'pods "gone" not found',
            id="no-such-pod",
        ),
        pytest.param(
            {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "other"}}},
            400,
            'cannot bind token for serviceaccount "agent" to pod running with different '
            "serviceaccount name.",
            id="pod-of-another",
        ),
        pytest.param(
            {"spec": {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}}},
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
            id="not-bindable",
        ),
        pytest.param(
            {
                "spec": {
                    "boundObjectRef": {
                        "kind": "Pod",
                        "apiVersion": "v1",
                        "name": "own",
                        "uid": "old",
                    }
                }
            },
            409,
            'Operation cannot be fulfilled on Pod "own": the UID in the bound object reference '
            "(old) does not match the UID in record. The object might have been deleted and then "
            "recreated",
            id="pod-was-replaced",
        ),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    requests: TokenRequests, request_: KubeObject, code: int, message: str
) -> None:
    """Each in the words of a real server."""
    with pytest.raises(ApiFailure) as failure:
        await _post(requests, request_)
    assert (failure.value.code, failure.value.message) == (code, message)


async def test_an_account_that_is_not_there_gets_no_token(requests: TokenRequests) -> None:
    """Its name alone is nothing."""
    call = call_for(
        SERVICE_ACCOUNTS, "create", ALICE, namespace="ns2", name="agent", subresource="token"
    )
    with pytest.raises(ApiFailure) as failure:
        await requests.create_token(call, {})
    assert (failure.value.code, failure.value.message) == (404, 'serviceaccounts "agent" not found')
