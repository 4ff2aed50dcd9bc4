"""Service accounts' tokens: whose they are, for whom, and when they stop being good."""

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.policies import NOW
from towline_api.resources import KubeObject
from towline_sandbox.embedded.access.account_tokens import ISSUER, AccountTokens, Bound
from towline_sandbox.embedded.access.stored_kinds import POD_KEY, SERVICE_ACCOUNT_KEY
from towline_sandbox.embedded.access.web_tokens import TokenError
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.store import Store

HOUR = timedelta(hours=1)
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = "system:serviceaccount:ns1:agent"


class _World:
    """A store, an account in it, and a clock."""

    def __init__(self) -> None:
        self.store = Store()
        self.now = NOW
        self.tokens = AccountTokens(self.store, key=KEY, now=lambda: self.now)
        self.account = self.put(SERVICE_ACCOUNT_KEY, "agent", "u1")

    def put(self, key: StorageKey, name: str, uid: str) -> KubeObject:
        metadata = {"name": name, "namespace": "ns1", "uid": uid}
        return self.store.create(key, {"metadata": metadata})

    def remove(self, key: StorageKey, name: str) -> None:
        found = self.store.find(key, namespace="ns1", name=name)
        assert found is not None
        self.store.delete(
            key,
            namespace="ns1",
            name=name,
            expected_revision=found["metadata"]["resourceVersion"],
        )

    def issue(
        self, *, audiences: tuple[str, ...] = (ISSUER,), bound: tuple[Bound, ...] = ()
    ) -> str:
        return self.tokens.issue(self.account, audiences=audiences, lifetime=HOUR, bound=bound)

    def problem_of(self, token: str, *, audiences: tuple[str, ...] = (ISSUER,)) -> str:
        with pytest.raises(TokenError) as failure:
            self.tokens.find_holder(token, audiences=audiences)
        return str(failure.value)


@pytest.fixture
def world() -> _World:
    """Return a store with one account."""
    return _World()


def test_a_token_tells_whose_it_is(world: _World) -> None:
    """Name, uid and groups are those that Kubernetes gives accounts."""
    holder = world.tokens.find_holder(world.issue())
    assert holder is not None
    assert holder.user.name == NAME
    assert holder.user.uid == "u1"
    assert holder.user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:ns1",
        "system:authenticated",
    )
    (credential,) = holder.user.extra["authentication.kubernetes.io/credential-id"]
    assert credential.startswith("JTI=")


def test_a_token_is_good_only_for_those_it_names(world: _World) -> None:
    """A token shown to somebody must not be good for anything else."""
    token = world.issue(audiences=("a", "b"))
    holder = world.tokens.find_holder(token, audiences=("b", "c"))
    assert holder is not None
    assert holder.audiences == ("b",)
    assert world.problem_of(token) == (
        f'token audiences ["a" "b"] is invalid for the target audiences ["{ISSUER}"]'
    )


@pytest.mark.parametrize(
    ("moment", "problem"),
    [
        pytest.param(HOUR + timedelta(seconds=60), None, id="within-leeway"),
        pytest.param(HOUR + timedelta(seconds=61), "has expired", id="expired"),
        pytest.param(-timedelta(seconds=61), "is not valid yet", id="before-it-was-issued"),
    ],
)
def test_a_token_has_its_time(world: _World, moment: timedelta, problem: str | None) -> None:
    """With a minute for clocks that disagree, as in Kubernetes."""
    token = world.issue()
    world.now = NOW + moment
    if problem is None:
        assert world.tokens.find_holder(token) is not None
    else:
        assert world.problem_of(token) == f"service account token {problem}"


def test_deleting_the_account_revokes_its_tokens(world: _World) -> None:
    """An account of the same name that comes later is somebody else."""
    token = world.issue()
    assert world.tokens.find_holder(token) is not None
    world.remove(SERVICE_ACCOUNT_KEY, "agent")
    assert world.problem_of(token) == 'serviceaccounts "agent" not found'
    world.put(SERVICE_ACCOUNT_KEY, "agent", "u2")
    assert world.problem_of(token) == "service account UID (u2) does not match claim (u1)"


def test_a_bound_token_dies_with_what_it_is_bound_to(world: _World) -> None:
    """That is what binding is for."""
    world.put(POD_KEY, "p", "pod-uid")
    token = world.issue(bound=(Bound("pod", "p", "pod-uid"), Bound("node", "n", "")))
    holder = world.tokens.find_holder(token)
    assert holder is not None
    assert holder.user.extra["authentication.kubernetes.io/pod-name"] == ["p"]
    assert holder.user.extra["authentication.kubernetes.io/node-name"] == ["n"]
    world.remove(POD_KEY, "p")
    assert world.problem_of(token) == "service account token has been invalidated"
    world.put(POD_KEY, "p", "another")
    assert world.problem_of(token) == (
        "Pod UID (another) does not match service account pod ref claim (pod-uid)"
    )


def _replace_part(token: str, index: int, change: Callable[[dict[str, object]], None]) -> str:
    parts = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(parts[index] + "=="))
    change(content)
    parts[index] = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    return ".".join(parts)


@pytest.mark.parametrize(
    ("index", "change"),
    [
        pytest.param(1, {"sub": "system:serviceaccount:kube-system:admin"}, id="other-claims"),
        pytest.param(1, {"exp": 2**33}, id="longer-life"),
        pytest.param(0, {"alg": "none"}, id="no-algorithm"),
        pytest.param(0, {"alg": "HS256"}, id="symmetric-algorithm"),
        pytest.param(0, {"kid": "other"}, id="other-key"),
    ],
)
def test_a_changed_token_is_refused(world: _World, index: int, change: dict[str, object]) -> None:
    """Whatever is in it, it counts only with the plane's own signature over all of it."""
    token = world.issue()
    assert world.tokens.find_holder(token) is not None
    forged = _replace_part(token, index, lambda content: content.update(change))
    assert "signature" in world.problem_of(forged) or "primitive" in world.problem_of(forged)


def test_a_token_of_another_key_is_refused(world: _World) -> None:
    """Its issuer is the name that every plane has."""
    other = AccountTokens(world.store, key=ec.generate_private_key(ec.SECP256R1()), now=lambda: NOW)
    token = other.issue(world.account, audiences=(ISSUER,), lifetime=HOUR)
    assert world.problem_of(token) == "invalid signature, no keys found"


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "abcdef.0123456789abcdef", "é.é.é"])
def test_what_is_no_token_of_ours_is_left_to_others(world: _World, token: str) -> None:
    """Bootstrap tokens come in the same header."""
    assert world.tokens.find_holder(token) is None


def test_expiry_is_counted_from_the_planes_clock(world: _World) -> None:
    """Tests shift it to see tokens expire."""
    world.now = datetime(2040, 1, 1, tzinfo=NOW.tzinfo)
    assert world.tokens.find_holder(world.issue()) is not None
