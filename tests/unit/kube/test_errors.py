"""Answers that are no success, told apart by what can be done about them."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.errors import TowlineError, TransientError
from towline_kube import errors
from towline_kube.answers import from_status
from towline_kube.errors import ApiError, Attempt

ATTEMPT = Attempt("create", "secrets c1/x", "hub.example:6443")


def a_status(**fields: object) -> bytes:
    return json.dumps({"kind": "Status", "apiVersion": "v1", **fields}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, a_status(reason="BadRequest"), errors.BadRequest),
        (401, a_status(reason="Unauthorized"), errors.Unauthorized),
        (403, a_status(reason="Forbidden"), errors.Forbidden),
        (
            403,
            a_status(details={"causes": [{"reason": "NamespaceTerminating"}]}),
            errors.NamespaceTerminating,
        ),
        (404, a_status(reason="NotFound"), errors.NotFound),
        (404, b"404 page not found\n", errors.NotServed),
        (405, a_status(), errors.MethodNotAllowed),
        (408, b"", errors.ServerError),
        (409, a_status(reason="AlreadyExists"), errors.AlreadyExists),
        (409, a_status(reason="Conflict"), errors.Conflict),
        (409, b"", errors.Conflict),
        (410, a_status(reason="Expired"), errors.Gone),
        (413, a_status(), errors.TooLarge),
        (422, a_status(reason="Invalid"), errors.Invalid),
        (429, a_status(), errors.Throttled),
        (500, a_status(), errors.ServerError),
        (503, b"", errors.ServerError),
        (504, a_status(), errors.ServerError),
        (302, b"", ApiError),
        (418, b"", ApiError),
    ],
)
def test_each_status_has_its_type(status: int, body: bytes, kind: type[ApiError]) -> None:
    """Callers choose by type; the reason tells apart what shares a number."""
    error = from_status(ATTEMPT, status=status, body=body)
    assert type(error) is kind
    assert error.status == status
    assert (error.verb, error.object) == ("create", "secrets c1/x")
    assert str(error).startswith("create secrets c1/x on hub.example:6443: ")
    assert f"({status}" in str(error)


@pytest.mark.parametrize(
    ("kind", "transient"),
    [
        (errors.Throttled, True),
        (errors.ServerError, True),
        (errors.Unreachable, True),
        (errors.UntrustedServer, True),
        (errors.NotFound, False),
        (errors.Conflict, False),
        (errors.Unauthorized, False),
    ],
)
def test_transient_errors_are_those_that_time_may_cure(
    kind: type[ApiError], *, transient: bool
) -> None:
    """Loops back off on `TransientError` and stop on the rest."""
    assert issubclass(kind, TowlineError)
    assert issubclass(kind, TransientError) is transient


def test_the_header_wins_over_the_body_for_the_pause() -> None:
    """The header is what priority and fairness sets."""
    body = a_status(details={"retryAfterSeconds": 9})
    by_body = from_status(ATTEMPT, status=429, body=body)
    by_header = from_status(ATTEMPT, status=429, body=body, retry_after=timedelta(seconds=2))
    assert by_body.retry_after == timedelta(seconds=9)
    assert by_header.retry_after == timedelta(seconds=2)
    # Also where TransientError is what is caught.
    assert isinstance(by_header, TransientError)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "reason", "message", "details", "causes", "code"]), inner
        )
    ),
    max_leaves=10,
)


@given(
    st.integers(300, 599),
    st.binary(max_size=60)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"kind": st.just("Status")}, optional={"details": _JSON, "reason": _JSON}
    ),
)
def test_no_answer_breaks_the_reading_of_it(status: int, body: object) -> None:
    """A broken server must look like a broken server, not like a bug of ours."""
    error = from_status(ATTEMPT, status=status, body=body)  # type: ignore[arg-type]
    assert str(error).isprintable()
    assert len(str(error)) < 600


def test_what_proxies_say_in_html_is_left_out() -> None:
    """Pages of markup bury the one sentence that matters."""
    error = from_status(ATTEMPT, status=502, body=b"<html><h1>Bad Gateway</h1></html>")
    assert "html" not in str(error).lower()


def test_errors_can_be_made_by_hand_with_their_kind_s_status() -> None:
    """Fakes raise them too."""
    error = errors.NotFound("get x: not found")
    assert (error.status, error.reason, str(error)) == (404, "NotFound", "get x: not found")
