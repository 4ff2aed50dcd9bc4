"""Finding the checks that an operator names among what is installed."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from towline_api.errors import ConfigError
from towline_certs.approval import Deny, Ignore, Reason
from towline_hub.approval.checks import GROUP, ApprovalCheck, deny, leave_alone, load_checks, named


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


LENIENT = point("lenient", "operator:itemgetter")
STRICT = point("strict", "operator:attrgetter")
INSTALLED = (
    LENIENT,
    STRICT,
    point("twice", "operator:add"),
    point("twice", "operator:sub"),
    point("same", "operator:mul"),
    point("same", "operator:mul"),
    point("missing", "no_such_module_anywhere:check"),
    point("nothing-there", "operator:no_such_function"),
    point("no-function", "string:digits"),
)


def test_nothing_is_used_that_is_not_named() -> None:
    """Installing a package must not change a policy."""
    assert load_checks((), installed=INSTALLED) == ()


def test_checks_are_used_in_the_order_in_which_they_are_named() -> None:
    """The first objection is the one that people read."""
    found = load_checks(("strict", "lenient", "same"), installed=INSTALLED)
    assert [check.name for check in found] == ["strict", "lenient", "same"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("strickt", "installed .* are: lenient, missing, no-function, nothing-there, same, strict"),
        ("twice", "more than once .operator:add, operator:sub"),
        ("missing", "cannot be loaded: ModuleNotFoundError"),
        ("nothing-there", "cannot be loaded: AttributeError"),
        ("no-function", "is a str, expected a function"),
    ],
)
def test_a_check_that_cannot_be_used_ends_the_start(name: str, words: str) -> None:
    """A hub that went on without it would approve what its operator wanted stopped."""
    with pytest.raises(ConfigError, match=words) as caught:
        load_checks((name,), installed=INSTALLED)
    assert name in str(caught.value)


def test_what_is_really_installed_is_looked_through() -> None:
    """With none, the message says so."""
    with pytest.raises(ConfigError, match="no approval check 'mine'"):
        load_checks(("mine",))


def test_async_checks_are_told_from_others() -> None:
    """One kind is awaited, the other gets a thread of its own."""

    async def function(_: object) -> None: ...

    class Object:
        async def __call__(self, _: object) -> None: ...

    assert ApprovalCheck("a", function).is_async
    assert ApprovalCheck("a", Object()).is_async
    assert not ApprovalCheck("a", lambda _: None).is_async


def test_a_check_cannot_borrow_the_policys_reasons_or_break_a_line() -> None:
    """Whoever reads a reason has to know whose it is."""
    opinion = named(Deny(Reason.ADDON_REGISTERED, "a\nb\x00" + "c" * 2000), check="mine")
    assert isinstance(opinion, Deny)
    assert opinion.reason is Reason.DENIED_BY_CHECK
    assert opinion.message.startswith("check 'mine': a b ccc")
    assert len(opinion.message) <= 500
    assert named(Ignore(Reason.NOT_OURS, ""), check="mine") == leave_alone(
        "check 'mine': gives no reason"
    )
    odd = SimpleNamespace(__str__=lambda: "x")
    assert isinstance(named(deny(odd), check="mine"), Deny)  # type: ignore[arg-type]
