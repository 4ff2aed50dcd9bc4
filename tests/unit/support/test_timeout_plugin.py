"""A test over its time limit is ended, and no other."""

import threading
from types import SimpleNamespace
from typing import cast

import pytest

from support import timeout_plugin
from support.timeout_plugin import TimeKeeper


def test_who_is_over_the_limit_is_ended(monkeypatch, request):
    """The first is in time, the second is not."""
    ended: list[object] = []
    told = threading.Event()
    limit = SimpleNamespace(method="thread", timeout=0.01)
    later = SimpleNamespace(method="thread", timeout=60)

    def end(item: object, settings: object) -> None:
        ended.append(settings)
        told.set()

    monkeypatch.setattr(timeout_plugin, "_EVERY_SECONDS", 0.02)
    monkeypatch.setattr("pytest_timeout.timeout_timer", end)
    keeper, item = TimeKeeper(), cast("pytest.Item", request.node)
    for settings in (later, limit):
        assert keeper.pytest_timeout_set_timer(item, settings)
        if settings is later:
            keeper.pytest_timeout_cancel_timer()
    assert told.wait(30)
    assert ended == [limit]


def test_who_wants_a_signal_is_left_to_others(request):
    """Such a test says so by its marker."""
    settings = SimpleNamespace(method="signal", timeout=60)
    assert TimeKeeper().pytest_timeout_set_timer(request.node, settings) is None
