"""Reading JSON that others wrote: every step checks the type and knows the path.

A `WireObject` stands on one JSON object and hands out its members as Python values. What is
absent, null or empty is the same, as in Go; what has another type is a `WireError` with the
member's full path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from towline_api.errors import WireError

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class WireObject:
    """One JSON object somewhere inside an object of the API.

    Args:
        value: The JSON object itself.
        about: How messages name the whole object, for example `ManagedClusterAddOn c1/hello`.
        path: Where in it this one stands; empty for the whole.
    """

    value: Mapping[str, Any]
    about: str
    path: str = ""

    def text(self, key: str) -> str:
        """Return a text member; empty if it is absent."""
        return self._get(key, str, "text") or ""

    def required_text(self, key: str) -> str:
        """Return a text member that must not be empty."""
        text = self.text(key)
        if not text:
            field = self._at(key)
            raise WireError(f"{self.about} needs {field}, which is empty", field=field)
        return text

    def integer(self, key: str) -> int:
        """Return an integer member; zero if it is absent."""
        value = self._get(key, int, "an integer")
        if isinstance(value, bool):
            raise self._wrong(self._at(key), "an integer", value)
        return value or 0

    def choice(self, key: str, choices: type[_E]) -> _E | None:
        """Return a member of a closed set of words, or None if it is absent."""
        text = self.text(key)
        if not text:
            return None
        try:
            return choices(text)
        except ValueError:
            expected = "one of " + ", ".join(choices)
            raise self._wrong(self._at(key), expected, text) from None

    def child(self, key: str) -> "WireObject":
        """Return an object member; an empty object if it is absent."""
        return WireObject(self._get(key, dict, "an object") or {}, self.about, self._at(key))

    def find_child(self, key: str) -> "WireObject | None":
        """Return an object member, or None if it is absent."""
        value = self._get(key, dict, "an object")
        return None if value is None else WireObject(value, self.about, self._at(key))

    def children(self, key: str) -> tuple["WireObject", ...]:
        """Return the objects of a list member; empty if it is absent."""
        return tuple(
            WireObject(item, self.about, field)
            for field, item in self._items(key, dict, "an object")
        )

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list member, in their order; empty if it is absent."""
        return tuple(item for _, item in self._items(key, str, "text"))

    def _items(self, key: str, expected: type[_T], described: str) -> list[tuple[str, _T]]:
        items = []
        for index, item in enumerate(self._get(key, list, "a list") or ()):
            field = f"{self._at(key)}[{index}]"
            if not isinstance(item, expected):
                raise self._wrong(field, described, item)
            items.append((field, item))
        return items

    def _get(self, key: str, expected: type[_T], described: str) -> _T | None:
        value = self.value.get(key)
        if value is None or isinstance(value, expected):
            return value
        raise self._wrong(self._at(key), described, value)

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _wrong(self, field: str, expected: str, found: object) -> WireError:
        return WireError(
            f"{field} of {self.about} should be {expected}; found {str(found)[:64]!r}", field=field
        )
