"""A watch as its caller sees it: one line of JSON after another until the server ends it."""

import asyncio
import json
from collections.abc import Sequence

import aiohttp

from towline_api.resources import KubeObject

_LIMIT_SECONDS = 15


class Watch:
    """An open watch.

    Args:
        response: The answer, whose body has not been read yet.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._response.status

    @property
    def content_type(self) -> str:
        """Media type of the answer."""
        return self._response.content_type

    async def text(self) -> str:
        """Return the body of an answer that is no watch after all."""
        return await self._response.text()

    async def next(self) -> KubeObject:
        """Return the next event; not to get one in time fails the test."""
        async with asyncio.timeout(_LIMIT_SECONDS):
            line = await self._response.content.readline()
        assert line, "the server ended the watch"
        event: KubeObject = json.loads(line)
        assert set(event) == {"type", "object"}
        return event

    async def take(self, count: int) -> list[KubeObject]:
        """Return that many events."""
        return [await self.next() for _ in range(count)]

    async def rest(self, *, until: str | None = None) -> list[KubeObject]:
        """Return all events until the server ends the watch by itself, or one of this type came."""
        events: list[KubeObject] = []
        async with asyncio.timeout(_LIMIT_SECONDS):
            while line := await self._response.content.readline():
                events.append(json.loads(line))
                if events[-1]["type"] == until:
                    break
        return events

    async def until_bookmark(self) -> list[KubeObject]:
        """Return all events up to the next bookmark, which is the last of them."""
        events = [await self.next()]
        while events[-1]["type"] != "BOOKMARK":
            events.append(await self.next())
        return events


def told(events: Sequence[KubeObject]) -> list[tuple[str, str]]:
    """Return what happened to which object, in order."""
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def revisions(events: Sequence[KubeObject]) -> list[int]:
    """Return the resourceVersions of the events' objects, in order."""
    return [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
