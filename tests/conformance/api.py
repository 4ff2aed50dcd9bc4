"""An API server as one caller sees it: bare requests and answers, nothing retried or explained."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from conformance.watching import Watch
from towline_api.resources import KubeObject

_LIMIT_SECONDS = 20
"""Far more than any call takes: it only decides how long a hanging one takes to say so."""


class PatchType(StrEnum):
    """How a patch is written."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said.

    Args:
        status: HTTP status.
        headers: Names in any case.
        text: The body as it came.
        body: The body as an object; empty if it is none.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    body: KubeObject

    def ok(self, status: int = 200) -> KubeObject:
        """Return the body of an answer that has this status."""
        assert self.status == status, f"{self.status} instead of {status}: {self.text[:1000]}"
        return self.body

    def assert_refused(
        self, code: int, reason: str, message: str, details: KubeObject | None = None
    ) -> None:
        """Compare the whole answer with a Status that says this; an empty reason is none."""
        expected: KubeObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "code": code,
        }
        if reason:
            expected["reason"] = reason
        if details is not None:
            expected["details"] = details
        assert self.status == code, f"{self.status} instead of {code}: {self.text[:1000]}"
        assert self.body == expected, (
            f"expected {json.dumps(expected, sort_keys=True)}\n"
            f"   found {json.dumps(self.body, sort_keys=True)}"
        )

    @property
    def warnings(self) -> list[str]:
        """The texts of all `Warning` headers."""
        joined = self.headers.get("Warning", "")
        return [part.split('"')[1] for part in joined.split("\n") if part]


class Api:
    """Calls under one identity.

    Args:
        session: Carries the identity.
        server: Address of the server.
    """

    def __init__(self, session: aiohttp.ClientSession, *, server: str) -> None:
        self._session = session
        self.server = server

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Answer:
        """Return the answer to one request; `body` is sent as it is or, if no bytes, as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            asyncio.timeout(_LIMIT_SECONDS),
            self._session.request(
                method,
                f"{self.server}{path}",
                params=_written(query or {}),
                data=None if body is None else content,
                headers={
                    **({} if body is None else {"Content-Type": "application/json"}),
                    **(headers or {}),
                },
            ) as response,
        ):
            text = await response.text()
            found: KubeObject = json.loads(text) if text and "json" in response.content_type else {}
            merged = {
                name: "\n".join(response.headers.getall(name)) for name in set(response.headers)
            }
            return Answer(response.status, _AnyCase(merged), text, found)

    async def get(self, path: str, *, accept: str = "application/json", **query: object) -> Answer:
        """Read an object or a list."""
        return await self.call("GET", path, headers={"Accept": accept}, query=query)

    async def version(self, path: str) -> str:
        """Return the resourceVersion of a collection as it is now, to watch it from."""
        version: str = (await self.get(path)).ok()["metadata"]["resourceVersion"]
        return version

    async def post(self, path: str, body: KubeObject, **query: object) -> Answer:
        """Create an object, or have a review answered."""
        return await self.call("POST", path, body, query=query)

    async def put(self, path: str, body: KubeObject, **query: object) -> Answer:
        """Replace an object."""
        return await self.call("PUT", path, body, query=query)

    async def patch(
        self, path: str, patch: object, *, kind: PatchType = PatchType.MERGE, **query: object
    ) -> Answer:
        """Change an object."""
        return await self.call("PATCH", path, patch, headers={"Content-Type": kind}, query=query)

    async def apply(self, path: str, body: KubeObject, *, manager: str, **query: object) -> Answer:
        """Apply an object on the server's side."""
        return await self.patch(path, body, kind=PatchType.APPLY, fieldManager=manager, **query)

    async def delete(self, path: str, options: KubeObject | None = None, **query: object) -> Answer:
        """Delete an object or a collection."""
        return await self.call("DELETE", path, options, query=query)

    @asynccontextmanager
    async def watch(
        self, path: str, *, accept: str = "application/json", **query: object
    ) -> AsyncIterator[Watch]:
        """Open a watch; it is closed with the block."""
        async with self._session.get(
            f"{self.server}{path}",
            headers={"Accept": accept},
            params=_written({"watch": True, **query}),
            timeout=aiohttp.ClientTimeout(total=None),
        ) as response:
            yield Watch(response)


class _AnyCase(dict[str, str]):
    """Headers, found whatever the case of their names."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())


def _written(query: Mapping[str, object]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }
