"""Readers of what is made of other values: structs, lists and maps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from towline_sandbox.embedded.built_in.readings import (
    MisfitError,
    Place,
    Reading,
    UnreadableError,
    json_type,
)


class Reader(Protocol):
    """Reads one value of a body."""

    @property
    def empty(self) -> Any:
        """What Kubernetes writes where there is nothing."""

    def read(self, value: Any, place: Place | None, reading: Reading) -> Any:
        """Return the value as Kubernetes would hand it back.

        Raises:
            MisfitError: The value has the wrong JSON type.
            UnreadableError: The value has the right type, but makes no sense.
        """


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct.

    Args:
        reader: Reads its value.
        path: What complaints about it call it; more than its name where Go embeds a struct.
        is_pointer: Whether Go can tell a value that says nothing from none at all; both are kept.
        keeps_empty: Whether a value that says nothing is kept.
        written_empty: Whether it is written even if there is none.
    """

    reader: Reader
    path: str
    is_pointer: bool
    keeps_empty: bool
    written_empty: bool

    @property
    def empty(self) -> Any:
        """What is written where there is nothing."""
        return None if self.is_pointer else self.reader.empty


@dataclass(slots=True)
class Struct:
    """An object with known fields.

    Args:
        name: What complaints call it.
        go_type: The same with its package.
        fields: By JSON name. Filled after it was made, since structs may contain themselves.
    """

    name: str
    go_type: str
    fields: dict[str, Field] = field(default_factory=dict)
    written: tuple[tuple[str, Field], ...] = ()

    @property
    def empty(self) -> Any:
        """A struct is never nothing: its fields are."""
        return {name: about.empty for name, about in self.written}

    def complete(self, fields: Mapping[str, Field]) -> None:
        """Say which fields it has."""
        self.fields = dict(fields)
        self.written = tuple((name, f) for name, f in fields.items() if f.written_empty)

    def read(self, value: Any, place: Place | None, reading: Reading) -> Any:
        """Return the fields that are known and say something."""
        if type(value) is not dict:
            raise MisfitError(json_type(value), self.go_type)
        found: dict[str, Any] = {}
        for name, given in value.items():
            about = self.fields.get(name)
            if about is None:
                reading.unknown.append(str(Place(place, name)))
                continue
            if given is None:
                continue
            try:
                read = about.reader.read(given, Place(place, name), reading)
            except MisfitError as misfit:
                misfit.inside(self.name, about.path)
                raise
            if read or about.is_pointer:
                found[name] = read
            elif about.keeps_empty:
                # An empty list that cannot be left out becomes null; an empty text does not.
                found[name] = read if isinstance(read, str) else about.empty
        for name, about in self.written:
            if name not in found:
                found[name] = about.empty
        return found


@dataclass(frozen=True, slots=True)
class List:
    """A list.

    Args:
        items: Reads an item.
        go_type: What the server calls its type.
    """

    items: Reader
    go_type: str
    empty = None

    def read(self, value: Any, place: Place | None, reading: Reading) -> Any:
        """Return the items; one that is null becomes empty."""
        if type(value) is not list:
            raise MisfitError(json_type(value), self.go_type)
        read, empty = self.items.read, self.items.empty
        return [
            empty if item is None else read(item, Place(place, index), reading)
            for index, item in enumerate(value)
        ]


@dataclass(frozen=True, slots=True)
class Map:
    """An object with keys of the caller's choice.

    Args:
        values: Reads a value.
        go_type: What the server calls its type.
    """

    values: Reader
    go_type: str
    empty = None

    def read(self, value: Any, place: Place | None, reading: Reading) -> Any:
        """Return the entries; a value that is null becomes empty."""
        if type(value) is not dict:
            raise MisfitError(json_type(value), self.go_type)
        read, empty = self.values.read, self.values.empty
        return {
            key: empty if item is None else read(item, Place(place, key), reading)
            for key, item in value.items()
        }


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value that may have one of several JSON types, each with a reader of its own.

    Args:
        readers: By JSON type, as `json_type` names it.
        complaint: What the server says about any other.
    """

    readers: Mapping[str, Reader]
    complaint: str
    empty = None

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> Any:
        """Return what the reader for its type makes of it.

        Unknown fields inside go without a word: Kubernetes loses sight of them as well.
        """
        reader = self.readers.get(json_type(value))
        if reader is None:
            raise UnreadableError(self.complaint)
        return reader.read(value, None, Reading())
