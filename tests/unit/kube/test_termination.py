"""How programs are told to end."""

import asyncio
import os
import signal

import pytest

from towline_kube.termination import told_to_end

_SECONDS = 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_told_and_a_second_one_is_not_held_back(number: signal.Signals) -> None:
    """The first one asks to end in good order; whoever sends another has no more patience."""
    before = signal.getsignal(number)
    with told_to_end() as told:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(_SECONDS):
            await told.wait()
        assert signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}
    assert signal.getsignal(number) in {before, signal.SIG_DFL, signal.default_int_handler}


async def test_where_others_would_be_left_behind_a_second_signal_changes_nothing() -> None:
    """A sandbox's API server and etcd must end with it."""
    with told_to_end(heeds_a_second=False) as told:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(_SECONDS):
                await told.wait()
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
