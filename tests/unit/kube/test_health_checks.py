"""What health checks answer, and what they ask for."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from support.clock import FakeClock
from support.fake_client import FakeClient
from towline_api.errors import TowlineError
from towline_api.resources import MANAGED_CLUSTERS
from towline_kube.cache import Cache
from towline_kube.caller import Call
from towline_kube.errors import Unauthorized
from towline_kube.health_checks import (
    RECENT,
    ApiServerKnowsUs,
    caches_synced,
    loop_responsive,
    tasks_alive,
)


class Server:
    """Answers who we are, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: TowlineError | None = None

    async def whoami(self) -> Any:
        self.asked += 1
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def known(server: Server, clock: FakeClock) -> ApiServerKnowsUs:
    return ApiServerKnowsUs(server, clock=clock)  # type: ignore[arg-type] # all that it uses


def call(status: int) -> Call:
    return Call("get", "leases", status, timedelta(0), 1)


async def test_calls_of_others_are_answer_enough(known: ApiServerKnowsUs, server: Server) -> None:
    """A busy hub is not asked to prove what it shows all the time."""
    known.note(call(404))
    assert await known() is None
    assert server.asked == 0


async def test_an_idle_program_asks_by_itself(
    known: ApiServerKnowsUs, server: Server, clock: FakeClock
) -> None:
    """Open watches are no calls; and an answer counts for a while."""
    assert await known() is None
    await clock.advance(RECENT - timedelta(seconds=1))
    assert await known() is None
    assert server.asked == 1
    await clock.advance(timedelta(seconds=1))
    assert await known() is None
    assert server.asked == 2


@pytest.mark.parametrize("status", [0, 401, 503])
async def test_a_call_that_fails_has_it_asked_again(
    status: int, known: ApiServerKnowsUs, server: Server
) -> None:
    """A credential that has just been refused does not pass for good until its time is over."""
    known.note(call(200))
    known.note(call(status))
    server.failure = Unauthorized("who are you")
    assert await known() == "who are you"


async def test_a_flood_of_probes_asks_once_a_second(
    known: ApiServerKnowsUs, server: Server, clock: FakeClock
) -> None:
    """Anybody may ask for readiness; the API server must not pay for each of them."""
    server.failure = Unauthorized("who are you")
    answers = await asyncio.gather(*(known() for _ in range(50)))
    assert answers == ["who are you"] * 50
    assert server.asked == 1
    await clock.advance(timedelta(seconds=1))
    server.failure = None
    assert await known() is None
    assert server.asked == 2


async def test_a_cache_without_a_list_is_named(clock: FakeClock) -> None:
    """Standing by with half the picture is not standing by."""
    cache = Cache(FakeClient(clock), MANAGED_CLUSTERS, clock=clock)
    check = caches_synced([cache])
    assert await check() == f"{MANAGED_CLUSTERS.qualified}: no list has arrived yet"
    task = asyncio.create_task(cache.run())
    await clock.settle()
    assert await check() is None
    task.cancel()
    await asyncio.wait({task})


async def test_a_task_that_ended_is_named() -> None:
    """Quietly ended, it would leave a hub that looks well and does nothing."""
    ended = asyncio.create_task(asyncio.sleep(0), name="watch-leases")
    lasting = asyncio.create_task(asyncio.Event().wait(), name="other")
    check = tasks_alive(lambda: (ended, lasting))
    assert await check() is None
    await ended
    assert await check() == "ended: watch-leases"
    lasting.cancel()
    await asyncio.wait({lasting})


@pytest.mark.parametrize(("late", "answer"), [(1.0, None), (3.0, "the event loop is 3.0 s late")])
async def test_a_loop_that_is_late_says_by_how_much(
    late: float, answer: str | None, clock: FakeClock
) -> None:
    """Something that blocks it holds everything up, renewals of the lease included."""
    asking = asyncio.create_task(_ask(loop_responsive(clock)))
    await clock.settle()
    clock._elapsed += timedelta(seconds=late)
    await clock.advance(timedelta(milliseconds=10))
    assert await asking == answer


async def _ask(check: Any) -> Any:
    return await check()
