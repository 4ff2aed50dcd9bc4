"""A task in the background lives exactly as long as its block."""

import asyncio

import pytest

from support.tasks import background


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def test_the_task_ends_with_the_block() -> None:
    """No test has to remember to stop it."""
    async with background(wait_for_ever(), name="wait") as task:
        await asyncio.sleep(0)
        assert (task.get_name(), task.done()) == ("wait", False)
    assert task.cancelled()


async def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    """`pytest.raises` and the report see the assertion, not a group around it."""
    with pytest.raises(AssertionError, match="of the block"):
        async with background(wait_for_ever(), name="wait"):
            raise AssertionError("of the block")


async def test_a_failing_task_ends_the_block() -> None:
    """A test must not wait for somebody who is gone."""

    async def fail() -> None:
        raise ValueError("of the task")

    with pytest.raises(ValueError, match="of the task"):
        async with background(fail(), name="fail"):
            await wait_for_ever()


async def test_two_errors_are_both_shown() -> None:
    """Which one caused the other is for the reader to find out."""

    async def fail_when_cancelled() -> None:
        try:
            await wait_for_ever()
        finally:
            raise ValueError("of the task")

    async def fail_in_both() -> None:
        async with background(fail_when_cancelled(), name="fail"):
            await asyncio.sleep(0)
            raise AssertionError("of the block")

    with pytest.raises(BaseExceptionGroup) as failures:
        await fail_in_both()
    assert {type(error) for error in failures.value.exceptions} == {AssertionError, ValueError}
