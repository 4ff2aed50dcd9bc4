"""One reading of a body: where in it we are, what was unknown, and how a misfit is told."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """A place in a body: what is around it, and the name or index it has there."""

    around: "Place | None"
    step: str | int

    def __str__(self) -> str:
        """Return the path as Kubernetes writes it: `spec.containers[0].image`."""
        steps: list[str] = []
        place: Place | None = self
        while place is not None:
            is_index = isinstance(place.step, int)
            steps.append(f"[{place.step}]" if is_index else f".{place.step}")
            place = place.around
        return "".join(reversed(steps)).removeprefix(".")


@dataclass(slots=True)
class Reading:
    """What comes up while a body is read.

    Args:
        unknown: Paths of fields that the kind does not have, in the order they stand in.
    """

    unknown: list[str] = field(default_factory=list)


class UnreadableError(ValueError):
    """A value cannot be what it is given for; the text is Go's."""


class MisfitError(Exception):
    """A value has the wrong JSON type. Learns its path on the way up.

    Args:
        found: What the value is, for example `string` or `number 1.5`.
        wanted: The Go type it should have been.
    """

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found, wanted)
        self._found = found
        self._wanted = wanted
        self._struct = ""
        self._path: list[str] = []

    def inside(self, struct: str, path: str) -> None:
        """Note that it came up in this field of this struct."""
        self._struct = self._struct or struct
        self._path.insert(0, path)

    def __str__(self) -> str:
        """Return Go's sentence about it."""
        where = (
            f"Go struct field {self._struct}.{'.'.join(self._path)}" if self._path else "Go value"
        )
        return f"json: cannot unmarshal {self._found} into {where} of type {self._wanted}"


def json_type(value: object) -> str:
    """Return what Go calls the JSON type of a value."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"
