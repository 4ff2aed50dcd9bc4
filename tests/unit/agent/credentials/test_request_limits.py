"""How many certificates an agent asks for at most."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from towline_agent.credentials.request_limits import (
    REQUESTS_AN_HOUR,
    requests_in,
    time_until_request,
)

HOUR = timedelta(hours=1)


def test_a_request_that_always_comes_to_nothing_is_made_eight_times_in_the_first_hour() -> None:
    """And once in half an hour from then on; the numbers the documentation states."""
    assert requests_in(HOUR) == 8
    assert requests_in(25 * HOUR) - requests_in(24 * HOUR) == 2


@given(gaps=st.lists(st.floats(0, 4000), max_size=120))
def test_no_credential_asks_for_more_than_twenty_certificates_in_any_hour(
    gaps: list[float],
) -> None:
    """Whenever somebody wants the next one: however often it is denied, refused, lost or ends."""
    made: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        now += time_until_request(made, now=now).total_seconds()
        made.append(now)
    for index, at in enumerate(made):
        within = [other for other in made[index:] if other < at + HOUR.total_seconds()]
        assert len(within) <= REQUESTS_AN_HOUR


@given(made=st.lists(st.floats(0, 10_000), max_size=30).map(sorted))
def test_a_request_is_never_put_off_by_more_than_an_hour(made: list[float]) -> None:
    """Nor at all if there were few."""
    now = made[-1] if made else 0.0
    wait = time_until_request(made, now=now)
    assert timedelta() <= wait <= HOUR
    if len(made) < REQUESTS_AN_HOUR:
        assert not wait
