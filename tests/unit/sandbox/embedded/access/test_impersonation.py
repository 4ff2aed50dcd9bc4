"""Acting as somebody else: reading the headers, and the ways to be allowed."""

import pytest

from support.policies import ADMIN, ALICE, binding, group, put, role, rule
from towline_api.resources import KubeObject
from towline_sandbox.embedded.access import Attributes, Authorizer, Impersonation, find_wanted
from towline_sandbox.embedded.access.impersonation import Wanted
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

NEW = ("authentication.k8s.io",)
READ = Attributes("get", resource="pods", namespace="ns1", name="p")


def _act_as(wanted: Wanted, *rules: KubeObject, caller: User = ALICE) -> User:
    store = put(Store(), role("own", *rules), binding("own", "own", group("devs")))
    return Impersonation(Authorizer(store)).act_as(caller, wanted, attributes=READ)


def _refusal(wanted: Wanted, *rules: KubeObject) -> str:
    with pytest.raises(ApiFailure) as failure:
        _act_as(wanted, *rules)
    assert failure.value.code == 403
    return failure.value.message


def test_headers_say_whom_to_act_as() -> None:
    """Names of headers come in any case; keys of extra facts may be percent-encoded."""
    assert find_wanted(
        [
            ("Accept", "application/json"),
            ("impersonate-user", "bob"),
            ("Impersonate-Group", "g1"),
            ("Impersonate-Group", "g2"),
            ("Impersonate-Uid", "7"),
            ("Impersonate-Extra-Acme.com%2FProject", "p1"),
            ("Impersonate-Extra-acme.com%2fproject", "p2"),
        ]
    ) == Wanted("bob", "7", ("g1", "g2"), {"acme.com/project": ("p1", "p2")})


@pytest.mark.parametrize("headers", [[], [("Impersonate-User", "")], [("X-User", "bob")]])
def test_nobody_is_acted_as_without_a_name(headers: list[tuple[str, str]]) -> None:
    """The caller is itself then."""
    assert find_wanted(headers) is None


def test_groups_without_a_name_are_refused() -> None:
    """Going on as oneself could do something that was not meant."""
    with pytest.raises(ApiFailure) as failure:
        find_wanted([("Impersonate-Group", "g1")])
    assert failure.value.code == 400
    assert failure.value.message == (
        'requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"g1"}, '
        "Extra:map[string][]string(nil)} without impersonating a user name"
    )


def test_without_any_right_the_narrow_one_is_asked_for() -> None:
    """The sentence names the right that a real server would look for first."""
    assert _refusal(Wanted("bob")) == (
        'pods "p" is forbidden: User "alice" cannot impersonate-on:user-info:get resource "pods" '
        'in API group "" in the namespace "ns1"'
    )


def test_the_old_right_allows_everything_for_the_user() -> None:
    """Nothing else is asked then, and the user is authenticated."""
    allowed = _act_as(Wanted("bob"), rule("impersonate", "users", names=("bob",)))
    assert allowed == User("bob", ("system:authenticated",))
    assert "impersonate-on:user-info:get" in _refusal(
        Wanted("eve"), rule("impersonate", "users", names=("bob",))
    )


def test_every_group_and_fact_needs_a_right() -> None:
    """Acting as a user is not acting as a member of any group."""
    users = rule("impersonate", "users")
    old = Wanted("bob", "7", ("g1",), {"scopes": ("v",)})
    _refusal(old, users)
    _refusal(old, users, rule("impersonate", "groups"))
    _refusal(old, users, rule("impersonate", "groups"), rule("impersonate", "uids", groups=NEW))
    allowed = _act_as(
        old,
        users,
        rule("impersonate", "groups", names=("g1",)),
        rule("impersonate", "uids userextras/scopes", groups=NEW),
    )
    assert allowed == User("bob", ("g1", "system:authenticated"), uid="7", extra={"scopes": ("v",)})


def test_the_narrow_right_holds_for_what_it_names() -> None:
    """Acting as bob to read pods is not acting as bob to write them."""
    rules = (
        rule("impersonate:user-info", "users", groups=NEW, names=("bob",)),
        rule("impersonate-on:user-info:get", "pods"),
    )
    assert _act_as(Wanted("bob"), *rules).name == "bob"
    _refusal(Wanted("eve"), *rules)
    store = put(Store(), role("own", *rules), binding("own", "own", group("devs")))
    write = Attributes("update", resource="pods", namespace="ns1", name="p")
    with pytest.raises(ApiFailure):
        Impersonation(Authorizer(store)).act_as(ALICE, Wanted("bob"), attributes=write)


def test_an_account_has_its_groups() -> None:
    """They follow from its name."""
    wanted = Wanted("system:serviceaccount:ns1:agent")
    allowed = _act_as(wanted, rule("impersonate", "serviceaccounts", names=("agent",)))
    assert allowed.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:ns1",
        "system:authenticated",
    )
    _refusal(wanted, rule("impersonate", "users"))


def test_masters_act_as_anybody() -> None:
    """`kubectl --as` of an administrator; also as nobody at all."""
    assert _act_as(Wanted("system:anonymous"), caller=ADMIN).groups == ("system:unauthenticated",)
    assert _act_as(Wanted("system:node:n1"), caller=ADMIN).groups == (
        "system:nodes",
        "system:authenticated",
    )
    masters = _act_as(Wanted("bob", groups=("system:masters",)), caller=ADMIN)
    assert masters.groups == ("system:masters", "system:authenticated")


def test_the_narrow_right_never_makes_a_master() -> None:
    """Whatever its rules say."""
    rules = (
        rule("impersonate:user-info", "*", groups=("*",)),
        rule("impersonate-on:user-info:get", "pods"),
    )
    assert _act_as(Wanted("bob", groups=("g1",)), *rules).name == "bob"
    assert "impersonating the system:masters group is not allowed" in _refusal(
        Wanted("bob", groups=("system:masters",)), *rules
    )
