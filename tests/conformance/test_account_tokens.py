"""Tokens of service accounts: made on request, bound, for an audience, for a time."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from conformance.api import Api
from conformance.callers import Callers
from conformance.objects import SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS, details
from support.waiting import until
from towline_api.resources import SECRETS, SERVICE_ACCOUNTS, KubeObject

ISSUER = "https://kubernetes.default.svc"


@pytest.fixture
async def account(api: Api, namespace: str, name: str) -> KubeObject:
    """A service account."""
    path = SERVICE_ACCOUNTS.path(namespace=namespace)
    return (await api.post(path, {"metadata": {"name": name}})).ok(201)


def token_path(account: KubeObject) -> str:
    """Return where tokens of an account are asked for."""
    metadata = account["metadata"]
    return SERVICE_ACCOUNTS.path(
        namespace=metadata["namespace"], name=metadata["name"], subresource="token"
    )


async def ask(api: Api, account: KubeObject, **spec: object) -> KubeObject:
    """Ask for a token."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return (await api.post(token_path(account), request)).ok(201)


def claims_in(token: str) -> KubeObject:
    """Return what a token says, without checking it."""
    part = token.split(".")[1]
    claims: KubeObject = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


async def who(callers: Callers, token: str) -> tuple[int, KubeObject]:
    """Ask the server whom a token makes."""
    holder = await callers.token(token)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await holder.post(SELF_SUBJECT_REVIEWS, review)
    return answer.status, answer.body["status"]["userInfo"] if answer.status == 201 else {}


async def test_a_token_is_made_on_request(api: Api, account: KubeObject) -> None:
    """For an hour, for the API server, unless told otherwise."""
    body = await ask(api, account)
    assert body["kind"] == "TokenRequest"
    assert body["spec"]["audiences"] == [ISSUER]
    assert body["spec"]["expirationSeconds"] == 3600
    left = datetime.fromisoformat(body["status"]["expirationTimestamp"]) - datetime.now(UTC)
    assert abs(left - timedelta(hours=1)) < timedelta(minutes=1)
    claims = claims_in(body["status"]["token"])
    namespace, name = account["metadata"]["namespace"], account["metadata"]["name"]
    assert claims["iss"] == ISSUER
    assert claims["aud"] == [ISSUER]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:{name}"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["kubernetes.io"] == {
        "namespace": namespace,
        "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]},
    }


async def test_a_token_makes_its_account(api: Api, callers: Callers, account: KubeObject) -> None:
    """With the groups of its namespace, its uid, and the token's id."""
    token = (await ask(api, account))["status"]["token"]
    namespace, name = account["metadata"]["namespace"], account["metadata"]["name"]
    status, user = await who(callers, token)
    assert status == 201
    assert user == {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "uid": account["metadata"]["uid"],
        "groups": [
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        ],
        "extra": {"authentication.kubernetes.io/credential-id": [f"JTI={claims_in(token)['jti']}"]},
    }


async def test_a_token_for_others_is_not_for_the_server(
    api: Api, callers: Callers, account: KubeObject
) -> None:
    """It is good at a review that names its audience."""
    token = (await ask(api, account, audiences=["vault"]))["status"]["token"]
    assert (await who(callers, token))[0] == 401
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["vault", "other"]},
    }
    status = (await api.post(TOKEN_REVIEWS, review)).ok(201)["status"]
    assert status["authenticated"] is True
    assert status["audiences"] == ["vault"]


async def test_a_token_ends_with_its_account(
    api: Api, callers: Callers, account: KubeObject
) -> None:
    """Also when a new account takes the name."""
    token = (await ask(api, account))["status"]["token"]
    metadata = account["metadata"]
    path = SERVICE_ACCOUNTS.path(namespace=metadata["namespace"])
    (await api.delete(f"{path}/{metadata['name']}")).ok()
    (await api.post(path, {"metadata": {"name": metadata["name"]}})).ok(201)
    assert (await who(callers, token))[0] == 401


async def test_a_token_can_be_bound_to_a_secret(
    api: Api, callers: Callers, account: KubeObject
) -> None:
    """And ends with it."""
    path = SECRETS.path(namespace=account["metadata"]["namespace"])
    secret = (await api.post(path, {"metadata": {"name": "s"}})).ok(201)
    bound = {"kind": "Secret", "apiVersion": "v1", "name": "s"}
    token = (await ask(api, account, boundObjectRef=bound))["status"]["token"]
    assert claims_in(token)["kubernetes.io"]["secret"] == {
        "name": "s",
        "uid": secret["metadata"]["uid"],
    }
    (await api.delete(f"{path}/s")).ok()

    async def refused() -> bool:
        return (await who(callers, token))[0] == 401

    await until(refused, what=lambda: "the token to be refused")


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        pytest.param(
            60,
            "Invalid value: 60: may not specify a duration less than 10 minutes",
            id="too short",
        ),
        pytest.param(
            1 << 33,
            "Invalid value: 8589934592: may not specify a duration larger than 2^32 seconds",
            id="too long",
        ),
    ],
)
async def test_a_token_lives_neither_too_short_nor_too_long(
    api: Api, account: KubeObject, seconds: int, message: str
) -> None:
    """Ten minutes at least."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    answer = await api.post(token_path(account), request)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": message, "field": "spec.expirationSeconds"}
    ]


async def test_no_account_no_token(api: Api, namespace: str, name: str) -> None:
    """The refusal is about the account."""
    path = SERVICE_ACCOUNTS.path(namespace=namespace, name=name, subresource="token")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    (await api.post(path, request)).assert_refused(
        404, "NotFound", f'serviceaccounts "{name}" not found', details(SERVICE_ACCOUNTS, name)
    )
