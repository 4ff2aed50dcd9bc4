"""Where a program listens, as a setting: `HOST:PORT`, or `off`."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

OFF = "off"


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port to listen on.

    Args:
        host: Name or address; `0.0.0.0` or `::` for every one of this machine's.
        port: 0 lets the kernel choose one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_listen_address(text: str) -> ListenAddress | None:
    """Return what `HOST:PORT` names (IPv6 in brackets), or None for `off`.

    Raises:
        ValueError: It is neither.
    """
    if text == OFF:
        return None
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    well_formed = colon and bare and port.isascii() and port.isdecimal()
    if not well_formed or (":" in bare) != (host != bare) or int(port) > 65_535:
        raise ValueError("expected HOST:PORT, for example 0.0.0.0:8080 or [::]:8080, or off")
    return ListenAddress(bare, int(port))


def _parse_field(value: object) -> object:
    # YAML takes a bare `off` for false.
    if value is None or value is False:
        return None
    # And a bare port for a number, as the command line does.
    return parse_listen_address(str(value)) if isinstance(value, str | int) else value


ListenOrOff = Annotated[
    ListenAddress | None,
    BeforeValidator(_parse_field),
    PlainSerializer(lambda value: str(value) if value else OFF, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["0.0.0.0:8080", OFF]}),
]
"""A pydantic field for an address to listen on; None if it is `off`."""
