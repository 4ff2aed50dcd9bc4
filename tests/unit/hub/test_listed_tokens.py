"""Reading tokens: which are for joining, what may be shown, and what is wrong with one."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.resources import KubeObject
from towline_hub.joining.bootstrap_tokens import NewToken
from towline_hub.joining.listed_tokens import ListedToken, read_token
from towline_hub.joining.token_commands import (
    listed_token_json,
    new_token_json,
    new_token_line,
    revocation_lines,
)
from towline_hub.joining.token_revocation import Revocation

EXPIRES = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
TOKEN = BootstrapToken("abcdef", "0123456789abcdef")


def _stored(*groups: str, **changes: str | None) -> KubeObject:
    secret = TOKEN.as_secret(groups=groups, expires=EXPIRES, description="a test's")
    data = secret.pop("stringData") | {
        key.replace("_", "-"): value for key, value in changes.items()
    }
    secret["data"] = {
        key: base64.b64encode(value.encode()).decode()
        for key, value in data.items()
        if value is not None
    }
    secret["metadata"]["creationTimestamp"] = "2026-05-01T11:00:00Z"
    return secret


def _read(*groups: str, **changes: str | None) -> ListedToken:
    found = read_token(_stored(*groups, **changes))
    assert found is not None
    return found


ANY = "system:bootstrappers:managedcluster"
ONE = f"{ANY}:c1"


@pytest.mark.parametrize(
    ("groups", "cluster", "problem"),
    [
        pytest.param([ANY], None, None, id="any-cluster"),
        pytest.param([ONE], "c1", None, id="one-cluster"),
        pytest.param([ONE, "system:bootstrappers:x"], "c1", None, id="and-another-group"),
        pytest.param([ONE, f"{ANY}:c2"], None, "exactly one cluster", id="two-clusters"),
        pytest.param([f"{ANY}:-c1"], None, "exactly one cluster", id="no-name"),
    ],
)
def test_a_token_says_for_whom_it_is(
    groups: list[str], cluster: str | None, problem: str | None
) -> None:
    """Parsed whole, as the hub does when the token is used."""
    token = _read(*groups)
    assert token.cluster == cluster
    assert (token.problem is None) == (problem is None)
    assert problem is None or problem in str(token.problem)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(_stored("system:bootstrappers:kubeadm:default-node-token"), id="a-node's"),
        pytest.param(_stored(), id="no-group"),
        pytest.param(_stored("system:bootstrappers:managedclusters"), id="a-longer-name"),
        pytest.param(_stored(ANY) | {"type": "Opaque"}, id="another-kind"),
        pytest.param(
            _stored(ANY) | {"metadata": {"name": "x", "creationTimestamp": "2026-05-01T11:00:00Z"}},
            id="another-name",
        ),
    ],
)
def test_what_is_not_for_joining_is_none_of_ours(secret: KubeObject) -> None:
    """It is neither listed nor revoked."""
    assert read_token(secret) is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"usage_bootstrap_authentication": None}, "authenticate", id="usage"),
        pytest.param({"token_id": "fedcba"}, "token-id", id="id"),
        pytest.param({"expiration": "soon"}, "when it ends", id="expiry"),
    ],
)
def test_a_token_the_api_server_would_refuse_says_why(
    changes: dict[str, Any], problem: str
) -> None:
    """Whoever holds it sees only that it is refused."""
    token = _read(ANY, **changes)
    assert token.problem is not None
    assert problem in token.problem


def test_a_token_without_an_end_never_expires() -> None:
    """Made by hand, it may be so."""
    token = _read(ANY, expiration=None)
    assert token.expires is None
    assert not token.is_expired(EXPIRES + timedelta(days=1000))
    assert listed_token_json(token, now=EXPIRES)["expires"] is None


def test_a_token_is_expired_from_its_last_instant_on() -> None:
    """As the API server has it."""
    token = _read(ANY)
    assert not token.is_expired(EXPIRES - timedelta(seconds=1))
    assert token.is_expired(EXPIRES)


def test_the_secret_half_is_nowhere_but_where_it_was_asked_for() -> None:
    """Lists, lines and reprs end up in tickets."""
    listed, new = _read(ONE), NewToken(TOKEN, "c1", EXPIRES)
    for text in (repr(listed), str(listed_token_json(listed, now=EXPIRES)), new_token_line(new)):
        assert TOKEN.secret not in text
        assert "abcdef" in text
    assert TOKEN.secret not in repr(new)
    assert new_token_json(new)["token"] == TOKEN.bearer


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        pytest.param(
            Revocation("abcdef", False, (), (), ()),
            ["token abcdef: there is none; it was revoked, or ended by itself"],
            id="none",
        ),
        pytest.param(
            Revocation("abcdef", True, ("c1",), ("r1",), ("c1",)),
            [
                "token abcdef: revoked",
                "cluster c1: the rights of its tokens are removed; it has none left",
                "request r1: made with the token and undecided; ",
                "asked for with it lately: c1; ",
                "certificates that were issued by means of it live on",
            ],
            id="all",
        ),
    ],
)
def test_revoking_says_what_it_could_not_undo(done: Revocation, expected: list[str]) -> None:
    """A token is not the certificates that came of it."""
    lines = revocation_lines(done)
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)
