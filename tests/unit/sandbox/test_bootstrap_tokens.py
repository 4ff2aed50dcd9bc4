"""Bootstrap tokens have the form that an API server looks for."""

import re
from datetime import UTC, datetime

import pytest

from towline_sandbox.bootstrap_tokens import BootstrapToken

EXPIRES = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_tokens_have_the_form_of_kubernetes_and_never_repeat() -> None:
    """Anything but `[a-z0-9]{6}.[a-z0-9]{16}` is not even looked up."""
    tokens = [BootstrapToken.create() for _ in range(50)]
    assert all(re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", token.bearer) for token in tokens)
    assert len({token.secret for token in tokens}) == len(tokens)


def test_the_secret_half_is_not_shown() -> None:
    """A token in a log is a token for everybody."""
    token = BootstrapToken("abcdef", "0123456789abcdef")
    assert "0123456789abcdef" not in repr(token)


def test_the_secret_says_who_its_holder_is_and_until_when() -> None:
    """Every field is one that the token authenticator requires."""
    secret = BootstrapToken("abcdef", "0123456789abcdef").as_secret(
        groups=("system:bootstrappers:a", "system:bootstrappers:b"), expires=EXPIRES
    )
    assert secret["metadata"] == {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert secret["stringData"] == {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "expiration": "2026-05-01T12:00:00Z",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:a,system:bootstrappers:b",
    }


def test_a_token_without_groups_leaves_the_field_out() -> None:
    """An empty list of groups makes Kubernetes refuse the token."""
    secret = BootstrapToken.create().as_secret(groups=(), expires=EXPIRES)
    assert "auth-extra-groups" not in secret["stringData"]


def test_a_group_that_kubernetes_would_refuse_is_refused_here() -> None:
    """The server would say nothing but 401, to somebody else, much later."""
    with pytest.raises(ValueError, match=r"'system:masters'.*must begin 'system:bootstrappers:'"):
        BootstrapToken.create().as_secret(groups=("system:masters",), expires=EXPIRES)
