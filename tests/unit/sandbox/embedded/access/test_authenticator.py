"""Which of the credentials that are shown counts, and what is no credential at all."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from support.kinds import call_for
from support.policies import NOW
from towline_api.resources import SELF_SUBJECT_REVIEWS, KubeObject, Resource
from towline_certs.authority import create_authority
from towline_certs.certificates import parse_chain
from towline_certs.identities import Subject
from towline_certs.keys import generate_key
from towline_sandbox.embedded.access import AccountTokens, Authenticator, IdentityReviews
from towline_sandbox.embedded.access.account_tokens import ISSUER
from towline_sandbox.embedded.access.authenticator import SPACE_WARNING
from towline_sandbox.embedded.access.stored_kinds import SERVICE_ACCOUNT_KEY
from towline_sandbox.embedded.model.calls import ANONYMOUS, User
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

HOUR = timedelta(hours=1)
AUTHORITY = create_authority("clients", now=NOW, lifetime=HOUR * 24, backdate=HOUR)
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", False)


class _World:
    """An authenticator, and good credentials for it."""

    def __init__(self) -> None:
        self.store = Store()
        self.now = NOW
        self.tokens = AccountTokens(
            self.store, key=ec.generate_private_key(ec.SECP256R1()), now=lambda: self.now
        )
        self.authenticator = Authenticator(
            self.store,
            client_authorities=[AUTHORITY.certificate],
            account_tokens=self.tokens,
            now=lambda: self.now,
        )
        account = self.store.create(
            SERVICE_ACCOUNT_KEY, {"metadata": {"name": "agent", "namespace": "ns1", "uid": "u1"}}
        )
        self.token = self.tokens.issue(account, audiences=[ISSUER, "other"], lifetime=HOUR * 5)
        pem = AUTHORITY.issue(
            generate_key().public_key(),
            subject=Subject("alice", frozenset()),
            now=NOW,
            lifetime=HOUR,
        )
        self.certificate = parse_chain(pem)[0].public_bytes(Encoding.DER)

    def user(self, *, header: str | None = None, certificate: bytes | None = None) -> User:
        return self.authenticator.authenticate(authorization=header, certificate_der=certificate)

    def is_refused(self, *, header: str | None = None, certificate: bytes | None = None) -> bool:
        with pytest.raises(ApiFailure) as failure:
            self.user(header=header, certificate=certificate)
        return failure.value.code == 401


@pytest.fixture
def world() -> _World:
    """Return an authenticator and credentials."""
    return _World()


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer  x", "Basic YTpi", "x", "token abc"]
)
def test_what_is_no_bearer_token_is_no_credential(world: _World, header: str | None) -> None:
    """A real server takes such callers for anonymous; it does not refuse them here."""
    assert world.user(header=header) == ANONYMOUS


@pytest.mark.parametrize("header", ["Bearer x", "bearer abcdef.0123456789abcdef", "BEARER a.b.c d"])
def test_a_token_of_nobody_is_refused(world: _World, header: str) -> None:
    """Whoever shows a credential wants to be somebody."""
    assert world.is_refused(header=header)


def test_a_space_too_many_is_warned_of(world: _World) -> None:
    """It is a mistake that is hard to see."""
    warnings: list[str] = []
    world.authenticator.authenticate(
        authorization="Bearer  x", certificate_der=None, warnings=warnings
    )
    assert warnings == [SPACE_WARNING]


def test_the_certificate_comes_before_the_token(world: _World) -> None:
    """A good one settles it, even beside a token that is not."""
    token = f"Bearer {world.token}"
    assert world.user(header=token).name == "system:serviceaccount:ns1:agent"
    assert world.user(header=token, certificate=world.certificate).name == "alice"
    assert world.user(header="Bearer x", certificate=world.certificate).name == "alice"


def test_an_expired_certificate_is_refused_unless_the_token_is_good(world: _World) -> None:
    """It never makes its holder anonymous: that could do what nobody meant."""
    world.now = NOW + HOUR * 2
    assert world.is_refused(certificate=world.certificate)
    assert world.is_refused(certificate=world.certificate, header="Bearer x")
    good = world.user(certificate=world.certificate, header=f"Bearer {world.token}")
    assert good.name == "system:serviceaccount:ns1:agent"


async def _review(world: _World, **spec: object) -> KubeObject:
    call = call_for(TOKEN_REVIEWS, "create", ANONYMOUS)
    reviews = IdentityReviews(world.authenticator)
    status: KubeObject = (await reviews.review_token(call, {"spec": spec}))["status"]
    return status


async def test_a_token_review_tells_whose_a_token_is(world: _World) -> None:
    """Servers beside the API server ask so."""
    status = await _review(world, token=world.token, audiences=["other", "third"])
    assert status["authenticated"] is True
    assert status["user"]["username"] == "system:serviceaccount:ns1:agent"
    assert status["audiences"] == ["other"]


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param("garbage", "invalid bearer token", id="garbage"),
        pytest.param(
            None,
            '[invalid bearer token, token audiences ["https://kubernetes.default.svc" "other"] is '
            'invalid for the target audiences ["third"]]',
            id="for-others",
        ),
    ],
)
async def test_a_token_review_says_why_not(world: _World, token: str | None, error: str) -> None:
    """With the code of success: the review itself was answered."""
    status = await _review(world, token=token or world.token, audiences=["third"])
    assert status == {"user": {}, "error": error}


async def test_a_review_of_oneself_shows_what_authentication_found(world: _World) -> None:
    """`kubectl auth whoami`."""
    user = User("alice", ("devs",), uid="7", extra={"k": ("v",)})
    call = call_for(SELF_SUBJECT_REVIEWS, "create", user)
    assert await IdentityReviews(world.authenticator).review_self(call, {}) == {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": "2026-01-31T12:00:00Z"},
        "status": {
            "userInfo": {
                "username": "alice",
                "uid": "7",
                "groups": ["devs"],
                "extra": {"k": ["v"]},
            }
        },
    }
