"""Writing only what differs, and remembering what was written."""

from datetime import timedelta
from typing import Any

import pytest

from support.clock import FakeClock
from support.fake_client import FakeClient
from support.tasks import background
from towline_api.resources import ROLE_BINDINGS
from towline_hub.object_writer import holds
from towline_hub.own_writes import TRUST, FreshView
from towline_kube.cache import Cache

DESIRED: dict[str, Any] = {
    "apiVersion": ROLE_BINDINGS.api_version,
    "kind": ROLE_BINDINGS.kind,
    "metadata": {
        "name": "b",
        "namespace": "c1",
        "labels": {"ours": "yes"},
        "finalizers": ["ours/f"],
        "ownerReferences": [{"uid": "1", "kind": "X", "name": "x", "apiVersion": "v1"}],
    },
    "subjects": [{"kind": "Group", "name": "g"}],
}


def _live(**metadata: Any) -> dict[str, Any]:
    return {
        **DESIRED,
        "metadata": {**DESIRED["metadata"], "uid": "u", "resourceVersion": "5", **metadata},
    }


def test_what_the_server_and_others_add_is_no_difference() -> None:
    """Fighting over somebody else's label or finalizer would never end."""
    live = _live(
        labels={"ours": "yes", "theirs": "too"},
        finalizers=["theirs/f", "ours/f"],
        ownerReferences=[
            {"uid": "2", "kind": "Y", "name": "y", "apiVersion": "v1"},
            {**DESIRED["metadata"]["ownerReferences"][0], "controller": True},
        ],
    )
    assert holds(DESIRED, live)


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(_live(labels={"ours": "no"}), id="label"),
        pytest.param(_live(finalizers=["theirs/f"]), id="finalizer"),
        pytest.param(_live(ownerReferences=[]), id="owner"),
        pytest.param({**_live(), "subjects": []}, id="subject-gone"),
        pytest.param(
            {**_live(), "subjects": [*DESIRED["subjects"], {"kind": "Group", "name": "intruder"}]},
            id="subject-more",
        ),
    ],
)
def test_what_matters_is_a_difference(live: dict[str, Any]) -> None:
    """One more subject in a binding is one more who may."""
    assert not holds(DESIRED, live)


async def test_our_own_write_is_known_before_the_watch_tells() -> None:
    """A pass that ran again at once would otherwise write everything a second time."""
    clock = FakeClock()
    client = FakeClient(clock)
    cache = Cache(client, ROLE_BINDINGS, clock=clock)
    view = FreshView(cache, clock=clock)
    written = {**DESIRED, "metadata": {**DESIRED["metadata"], "uid": "u", "resourceVersion": "9"}}
    view.remember(written)
    assert view.find("b", "c1") is written
    view.forget("b", "c1")
    assert view.find("b", "c1") is None


async def test_a_write_the_watch_never_confirms_is_not_believed_for_ever() -> None:
    """Deleted while the watch was down: the object would seem to be there, and never be remade."""
    clock = FakeClock()
    view = FreshView(Cache(FakeClient(clock), ROLE_BINDINGS, clock=clock), clock=clock)
    view.remember(_live())
    await clock.advance(TRUST + timedelta(seconds=1))
    assert view.find("b", "c1") is None


async def test_a_newer_state_from_the_watch_wins() -> None:
    """Somebody changed it after us."""
    clock = FakeClock()
    client = FakeClient(clock)
    cache = Cache(client, ROLE_BINDINGS, clock=clock)
    view = FreshView(cache, clock=clock)
    async with background(cache.run(), name="run-cache"):
        await cache.wait_synced()
        stored = client.put(ROLE_BINDINGS, DESIRED)
        await clock.settle()
        view.remember(_live(resourceVersion=str(int(stored["metadata"]["resourceVersion"]) + 1)))
        assert view.find("b", "c1") is not cache.find("b", "c1")
        client.put(ROLE_BINDINGS, DESIRED)
        client.put(ROLE_BINDINGS, DESIRED)
        await clock.settle()
        assert view.find("b", "c1") is cache.find("b", "c1")
        client.remove(ROLE_BINDINGS, "b", "c1")
        await clock.settle()
        assert view.find("b", "c1") is None


async def test_a_deletion_ends_what_we_wrote_last() -> None:
    """It is told by the last cached state, older than our write, and ends it all the same."""
    clock = FakeClock()
    client = FakeClient(clock)
    cache = Cache(client, ROLE_BINDINGS, clock=clock)
    view = FreshView(cache, clock=clock)
    async with background(cache.run(), name="run-cache"):
        await cache.wait_synced()
        stored = client.put(ROLE_BINDINGS, DESIRED)
        await clock.settle()
        view.remember(_live(resourceVersion=str(int(stored["metadata"]["resourceVersion"]) + 1)))
        client.remove(ROLE_BINDINGS, "b", "c1")
        await clock.settle()
        assert view.find("b", "c1") is None


async def test_an_object_we_let_go_of_is_gone_whenever_the_watch_tells() -> None:
    """The answer to removing the last finalizer shows the object as it was."""
    clock = FakeClock()
    view = FreshView(Cache(FakeClient(clock), ROLE_BINDINGS, clock=clock), clock=clock)
    view.remember(_live(deletionTimestamp="2026-07-01T00:00:00Z", finalizers=[]))
    assert view.find("b", "c1") is None
