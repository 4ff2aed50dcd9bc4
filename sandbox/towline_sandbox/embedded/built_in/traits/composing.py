"""Small pieces put together to the `Fill` and `Check` of a kind."""

from collections.abc import Iterable, Iterator
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import Check, Fill
from towline_sandbox.embedded.model.wording import immutable


def fill_all(*fills: Fill) -> Fill:
    """Fill in one after the other."""

    def fill(call: Call, new: KubeObject, old: KubeObject | None) -> None:
        for part in fills:
            part(call, new, old)

    return fill


def check_all(*checks: Check) -> Check:
    """Name what any of the checks finds."""

    def check(call: Call, new: KubeObject, old: KubeObject | None) -> Iterable[Cause]:
        for part in checks:
            yield from part(call, new, old)

    return check


def unchanged(*paths: str) -> Check:
    """Name each of these fields (`spec.selector`) that an update changes."""

    def check(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
        if old is not None:
            for path in paths:
                value = at(new, path)
                if value != at(old, path):
                    yield immutable(path, value)

    return check


def at(obj: KubeObject, path: str) -> Any:
    """Return the field at a path of dots; None if there is none."""
    found: Any = obj
    for step in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return found


def text_at(path: str) -> Any:
    """Return a function that reads the field at a path as the text of a field selector."""

    def text(obj: KubeObject) -> str:
        found = at(obj, path)
        match found:
            case None:
                return ""
            case bool():
                return "true" if found else "false"
            case _:
                return str(found)

    return text


def selectable(*paths: str) -> dict[str, Any]:
    """Return selectors that are called like the fields they read."""
    return {path: text_at(path) for path in paths}
