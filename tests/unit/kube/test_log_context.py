"""Facts bound around a block reach every record written in it, and no other."""

import asyncio
import logging

import pytest

from towline_kube.log_context import ContextFilter, log_context


def filtered(**extra: object) -> dict[str, object]:
    """Return a record as a handler with the filter would see it."""
    record = logging.getLogger("test").makeRecord(
        "test", logging.INFO, "file.py", 1, "message", (), None, extra=extra or None
    )
    assert ContextFilter().filter(record)
    return record.__dict__


def test_facts_hold_inside_the_block_only() -> None:
    """A fact left behind would be a lie in the next pass's lines."""
    with log_context(reconcile_id="1", task="outer"):
        with log_context(task="inner"):
            assert (filtered()["reconcile_id"], filtered()["task"]) == ("1", "inner")
        assert filtered()["task"] == "outer"
    assert "task" not in filtered()


def test_what_a_call_says_itself_wins() -> None:
    """The caller knows best."""
    with log_context(cluster="c1"):
        assert filtered(cluster="c2")["cluster"] == "c2"


def test_a_failing_block_ends_the_context_too() -> None:
    """Most interesting passes fail."""
    with pytest.raises(KeyError), log_context(cluster="c1"):
        raise KeyError
    assert "cluster" not in filtered()


def test_names_that_logging_uses_are_refused() -> None:
    """`logging` would raise at some later line, or write nonsense."""
    with pytest.raises(ValueError, match="have an attribute 'name' already"), log_context(name="x"):
        pytest.fail("the block must not begin")


async def test_tasks_have_contexts_of_their_own() -> None:
    """Passes run side by side in one thread."""

    async def look(cluster: str) -> object:
        with log_context(cluster=cluster):
            await asyncio.sleep(0)
            async with asyncio.TaskGroup() as group:  # facts go along into tasks of the pass
                inner = group.create_task(inside(), name="look-inside")
            return inner.result()

    async def inside() -> object:
        await asyncio.sleep(0)
        return filtered()["cluster"]

    assert list(await asyncio.gather(look("c1"), look("c2"))) == ["c1", "c2"]
