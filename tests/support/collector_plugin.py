"""Keeps Python's garbage collector from looking, again and again, through what stays to the end.

Thousands of tests and all modules under test are there for the whole run. The collector would find
them all in use once more each time it looks, which is a good part of what a run costs.
"""

import gc
from collections.abc import Iterator

import pytest

_ALLOCATIONS = 20_000
"""How many objects come to be between two looks; Python's own 700 suit a small program."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect tests without a look at the garbage; what is there then is never looked at again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])
        gc.enable()
