"""Bootstrap tokens have the form that an API server looks for."""

import re
from datetime import UTC, datetime

import pytest

from towline_api.bootstrap_tokens import BootstrapToken, is_token_id

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


@pytest.mark.parametrize(
    "group",
    [
        pytest.param("system:masters", id="another-prefix"),
        pytest.param("system:bootstrappers", id="prefix-alone"),
        pytest.param("system:bootstrappers:", id="nothing-after-it"),
        pytest.param("system:bootstrappers:Fleet", id="capitals"),
        pytest.param("system:bootstrappers:a.b", id="dot"),
        pytest.param("system:bootstrappers:a,system:masters", id="two-in-one"),
        pytest.param("system:bootstrappers:a-", id="hyphen-last"),
        pytest.param("system:bootstrappers:a\n", id="line-break"),
        pytest.param(f"system:bootstrappers:{'a' * 257}", id="too-long"),
    ],
)
def test_a_group_that_kubernetes_would_refuse_is_refused_here(group: str) -> None:
    """The server would say nothing but 401, to somebody else, much later."""
    expected = f"{re.escape(repr(group))}.*must begin 'system:bootstrappers:'"
    with pytest.raises(ValueError, match=expected):
        BootstrapToken.create().as_secret(groups=(group,), expires=EXPIRES)


def test_a_token_is_read_as_it_is_shown() -> None:
    """What one command prints, the next one takes."""
    token = BootstrapToken.create()
    assert BootstrapToken.parse(token.bearer) == token


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("abcdef", id="half"),
        pytest.param("abcdef.0123456789abcde", id="too-short"),
        pytest.param("abcdef.0123456789abcdef0", id="too-long"),
        pytest.param("ABCDEF.0123456789abcdef", id="capitals"),
        pytest.param("abcdef.0123456789abcdef\n", id="line-break"),
        pytest.param(" abcdef.0123456789abcdef", id="blank"),
        pytest.param("abcdef.\u0660123456789abcdef", id="other-digits"),
    ],
)
def test_what_is_no_token_is_refused_without_being_shown(text: str) -> None:
    """A token with one wrong character is still nearly a token."""
    with pytest.raises(ValueError, match="not a bootstrap token") as refusal:
        BootstrapToken.parse(text)
    assert not text.strip() or text.strip() not in str(refusal.value)


def test_a_token_is_for_authentication_only_and_says_what_it_is_for() -> None:
    """A token that may sign could change the cluster's public discovery information."""
    secret = BootstrapToken("abcdef", "0123456789abcdef").as_secret(
        groups=(), expires=EXPIRES, description="for c1", labels={"a": "b"}
    )
    usages = [key for key in secret["stringData"] if key.startswith("usage-")]
    assert usages == ["usage-bootstrap-authentication"]
    assert secret["stringData"]["description"] == "for c1"
    assert secret["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abcdef", True), ("abcde", False), ("abcdeF", False), ("abcde.", False)],
)
def test_ids_are_told_from_tokens(text: str, expected: bool) -> None:
    """A whole token where an id is wanted would end up in messages."""
    assert is_token_id(text) is expected
