"""Bootstrap tokens: the Secret has to be right in every way, or nobody is known."""

import base64
from datetime import timedelta

import pytest

from support.policies import NOW
from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.resources import KubeObject
from towline_sandbox.embedded.access.bootstrap_login import find_bootstrap_user
from towline_sandbox.embedded.access.stored_kinds import SECRET_KEY
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.storage.store import Store

TOKEN = BootstrapToken("abcdef", "0123456789abcdef")


def _secret(**changes: str | None) -> KubeObject:
    secret = TOKEN.as_secret(
        groups=("system:bootstrappers:b", "system:bootstrappers:a"),
        expires=NOW + timedelta(minutes=1),
    )
    data = {**secret.pop("stringData"), **changes}
    secret["data"] = {
        key: base64.b64encode(value.encode()).decode()
        for key, value in data.items()
        if value is not None
    }
    return secret


def _log_in(secret: KubeObject, *, token: str = TOKEN.bearer) -> User | None:
    store = Store()
    store.create(SECRET_KEY, secret)
    return find_bootstrap_user(token, store=store, now=NOW)


def test_a_good_token_makes_its_holder_a_bootstrapper() -> None:
    """Groups come sorted, as SelfSubjectReview of a real server shows them."""
    assert _log_in(_secret()) == User(
        "system:bootstrap:abcdef",
        (
            "system:bootstrappers",
            "system:bootstrappers:a",
            "system:bootstrappers:b",
            "system:authenticated",
        ),
    )


def test_a_token_without_expiration_or_groups_is_good() -> None:
    """Both are optional."""
    user = _log_in(_secret(**{"expiration": None, "auth-extra-groups": None}))
    assert user is not None
    assert user.groups == ("system:bootstrappers", "system:authenticated")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"expiration": "2026-01-31T12:00:00Z"}, id="expired-this-instant"),
        pytest.param({"expiration": "tomorrow"}, id="unreadable-expiration"),
        pytest.param({"usage-bootstrap-authentication": "false"}, id="not-for-authentication"),
        pytest.param({"usage-bootstrap-authentication": None}, id="no-usage"),
        pytest.param({"token-secret": "fedcba9876543210"}, id="other-secret"),
        pytest.param({"token-secret": None}, id="no-secret"),
        pytest.param({"token-id": "fedcba"}, id="other-id"),
        pytest.param({"auth-extra-groups": "system:masters"}, id="a-group-that-is-not-its-own"),
        pytest.param(
            {"auth-extra-groups": "system:bootstrappers:a,system:masters"}, id="one-bad-group"
        ),
        pytest.param({"auth-extra-groups": "system:bootstrappers:a "}, id="space-in-group"),
    ],
)
def test_one_wrong_entry_is_enough(changes: dict[str, str | None]) -> None:
    """The token is not known then; nothing is told about why."""
    assert _log_in(_secret(**changes)) is None


def test_the_secret_has_to_be_of_the_type_for_tokens() -> None:
    """Whoever may write Secrets in general writes no tokens by that: the type is protected."""
    assert _log_in({**_secret(), "type": "Opaque"}) is None


def test_a_secret_that_is_being_deleted_lets_nobody_in() -> None:
    """A finalizer does not keep a revoked token alive."""
    secret = _secret()
    secret["metadata"]["deletionTimestamp"] = "2026-01-31T11:59:59Z"
    assert _log_in(secret) is None


@pytest.mark.parametrize(
    "token",
    ["", "abcdef", "abcdef.0123456789abcdeX", "abcdef.0123456789abcdef ", "abcdef.0123456789abcde"],
)
def test_what_does_not_look_like_a_token_is_none(token: str) -> None:
    """Nothing is looked up for it."""
    assert _log_in(_secret(), token=token) is None
