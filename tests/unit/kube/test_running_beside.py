"""What runs beside the body of an `async with`, and how either ends the other."""

import asyncio

import pytest

from towline_kube.running_beside import running_beside


class Served:
    """Runs until it is told to stop, or fails, and remembers how it ended."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.stop = asyncio.Event()
        self.error = error
        self.ended = ""

    async def run(self) -> None:
        try:
            if self.error is not None:
                raise self.error
            await self.stop.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        else:
            self.ended = "in order"


@pytest.mark.parametrize(("told", "ended"), [(True, "in order"), (False, "cancelled")])
async def test_it_ends_with_the_body(told: bool, ended: str) -> None:
    """In good order where somebody can tell it to; and always before the block is left."""
    served = Served()
    async with running_beside(served.run(), name="serve", stop=served.stop if told else None):
        await asyncio.sleep(0)
        assert served.ended == ""
    assert served.ended == ended


async def test_the_bodys_own_error_arrives_as_it_is() -> None:
    """Whoever catches it by its type must not find it in a group."""
    served, error = Served(), ValueError("the body's")

    async def program() -> None:
        async with running_beside(served.run(), name="serve", stop=served.stop):
            await asyncio.sleep(0)
            raise error

    with pytest.raises(ValueError, match="the body's") as found:
        await program()
    assert found.value is error
    assert served.ended == "cancelled"


async def test_its_failure_cancels_the_body() -> None:
    """A program must not go on without the half that does its work."""
    served = Served(error=ValueError("of what is served"))
    with pytest.raises(ExceptionGroup) as found:
        async with running_beside(served.run(), name="serve"):
            await asyncio.Event().wait()
    assert found.group_contains(ValueError, match="of what is served")
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_cancellation_from_outside_ends_both() -> None:
    """And stays one."""
    served = Served()

    async def program() -> None:
        async with running_beside(served.run(), name="serve", stop=served.stop):
            await asyncio.Event().wait()

    task = asyncio.create_task(program())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert served.ended == "cancelled"
