"""Looking at a function when it is registered, so that what cannot work is refused at once."""

import functools
import inspect
from typing import Any

from towline_agent.station.user_code import function_name


def check_function(function: Any, *, decorator: str, takes: tuple[int, ...], example: str) -> int:
    """Return with how many arguments to call a function that is being registered.

    Args:
        function: What is being registered.
        decorator: With what, for messages.
        takes: How many positional arguments it may be called with, the most first.
        example: What it should look like.

    Raises:
        TypeError: It is not asynchronous, or cannot be called with so many arguments.
    """
    name = function_name(function)
    if not callable(function):
        raise TypeError(f"@{decorator} takes a function; found {function!r}")
    if not _is_async(function):
        raise TypeError(
            f"@{decorator} takes an asynchronous function, and {name} is not one: write "
            f"`{example}`; what blocks goes into `await asyncio.to_thread(...)`"
        )
    try:
        signature = inspect.signature(function)
    except ValueError:
        return takes[0]
    for count in takes:
        try:
            signature.bind(*(object() for _ in range(count)))
        except TypeError:
            continue
        return count
    raise TypeError(f"@{decorator} cannot call {name}{signature}: expected `{example}`")


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    # An object with an asynchronous call operator will do, too.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )
