"""Requests and answers, with HTTP's own machinery left outside."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from towline_api.resources import KubeObject

JSON = "application/json"
YAML = "application/yaml"
TEXT = "text/plain; charset=utf-8"
NO_SNIFF = {"X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it came in.

    Args:
        method: HTTP method.
        path: Path, decoded.
        target: Path and query as they were sent.
        query: Query parameters, each with its last value.
        headers: Headers; names in any case.
        all_headers: The same with repeated names, for those that may be repeated.
        certificate_der: Certificate that the connection was opened with.
        read_body: Reads the body.
    """

    method: str
    path: str
    target: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    all_headers: Callable[[], list[tuple[str, str]]]
    certificate_der: bytes | None
    read_body: Callable[[], Awaitable[bytes]]

    @property
    def user_agent(self) -> str:
        """How the caller's program introduces itself."""
        return self.headers.get("User-Agent", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is ready to be sent.

    Args:
        status: HTTP status.
        body: The bytes.
        content_type: Their format.
        headers: Further headers.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """An answer that goes on: the lines of a watch.

    Args:
        lines: Each is sent at once, as it comes.
        headers: Further headers.
    """

    lines: AsyncGenerator[bytes, None]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """HTTP status: what can go wrong later is told in a line."""
        return 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """An object that answers a call, not yet in the form that the caller takes.

    Args:
        status: HTTP status.
        body: The object.
    """

    status: int
    body: KubeObject


def not_found_page() -> Answer:
    """Nobody is responsible for this path."""
    return Answer(404, b"404 page not found\n", TEXT, NO_SNIFF)
