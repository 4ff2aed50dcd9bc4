"""Exchanges with a real API server, recorded: what was asked, and what it answered.

The files in `recorded/` hold both. `python -m conformance.recording` (in `tests/`) asks a real
plane again and writes its answers anew, so that a new release shows in a diff.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from conformance.api import Answer, Api
from conformance.callers import Callers
from conformance.furnished import make_namespace
from conformance.planes import Flavor, open_plane
from towline_api.resources import KubeObject

FOLDER = Path(__file__).parent / "recorded"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_AGE = re.compile(r"\d+[smh](\d+[smh])?")
_YEARS = re.compile(r"\d+y(\d+d)?")  # of what happened at a date given in the files
_TIME = re.compile(r"20(2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_QUOTED_VERSION = re.compile(r'(?<=resourceVersion\\":\\")\d+')
_ADDRESS = re.compile(r"10\.0\.0\.\d+")


def load(name: str) -> list[KubeObject]:
    """Return the exchanges of a file."""
    found: list[KubeObject] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def comparable(found: Any, *, own: Mapping[str, str]) -> Any:
    """Return an answer without what differs from run to run.

    Args:
        found: The answer, or a part of it.
        own: Names of this run, and what stands for them in the files.
    """
    match found:
        case dict():
            return {
                key: f"<{key}>" if key in _VOLATILE else comparable(_settled(key, value), own=own)
                for key, value in found.items()
            }
        case list():
            return [comparable(item, own=own) for item in found]
        case str():
            for name, placeholder in own.items():
                found = found.replace(name, placeholder)
            for pattern, placeholder in _PLACEHOLDERS.items():
                found = pattern.sub(placeholder, found)
            if _AGE.fullmatch(found):
                return "<age>"
            return "<years>" if _YEARS.fullmatch(found) else found
    return found


def _settled(key: str, value: Any) -> Any:
    # Entries are sorted by their times, whose order depends on when a second ends.
    if key != "managedFields" or not isinstance(value, list):
        return value
    return sorted(value, key=lambda entry: json.dumps({**entry, "time": ""}, sort_keys=True))


def differences(expected: Any, found: Any, *, at: str = "") -> list[str]:
    """Return where two answers differ, a line for each place."""
    match expected, found:
        case dict(), dict():
            return [
                line
                for key in sorted({*expected, *found})
                for line in differences(
                    expected.get(key, "(nothing)"), found.get(key, "(nothing)"), at=f"{at}.{key}"
                )
            ]
        case list(), list() if len(expected) == len(found):
            return [
                line
                for index, pair in enumerate(zip(expected, found, strict=True))
                for line in differences(*pair, at=f"{at}[{index}]")
            ]
    return [] if expected == found else [f"{at}: expected {expected!r}\n   found {found!r}"]


_VOLATILE = frozenset({"resourceVersion", "kube-root-ca.crt"})
_PLACEHOLDERS = {
    _UID: "<uid>",
    _TIME: "<time>",
    _ADDRESS: "<address>",
    _QUOTED_VERSION: "<resourceVersion>",
}


class Asking:
    """Asks a server what the files hold.

    Args:
        api: The server.
        namespace: A namespace of this run.
        name: A name of this run.
    """

    def __init__(self, api: Api, *, namespace: str, name: str) -> None:
        self._api = api
        self._own = {namespace: "NAMESPACE", name: "NAME"}

    async def create(self, exchange: KubeObject) -> KubeObject:
        """Create an object; return it as it comes back, and its row in a table."""
        path = self._filled(exchange["path"])
        answer = await self._api.post(path, self._filled(exchange["object"]))
        body = answer.ok(201)
        table = await self._api.get(f"{path}/{body['metadata']['name']}", accept=TABLE)
        return {
            "created": comparable(body, own=self._own),
            "cells": comparable(table.ok()["rows"][0]["cells"], own=self._own),
        }

    async def send(self, exchange: KubeObject) -> KubeObject:
        """Send one request; return the answer, whatever it is."""
        body = exchange.get("body")
        answer: Answer = await self._api.call(
            exchange.get("method", "POST"),
            self._filled(exchange["path"]),
            body.encode() if isinstance(body, str) else self._filled(body),
            headers={"Content-Type": exchange.get("type", "application/json")},
            query=exchange.get("query"),
        )
        found = {"status": answer.status, "answer": comparable(answer.body, own=self._own)}
        if exchange.get("heeds_warnings"):
            # One header or several: to who reads them that is the same.
            warnings = answer.headers.get("Warning", "").replace("\n", ", ")
            found["warnings"] = comparable(warnings, own=self._own)
        return found

    async def tell(self, story: KubeObject) -> KubeObject:
        """Send several requests, one after the other; return all answers."""
        return {"answers": [await self.send(step) for step in story["steps"]]}

    def _filled(self, template: Any) -> Any:
        match template:
            case dict():
                return {key: self._filled(value) for key, value in template.items()}
            case list():
                return [self._filled(item) for item in template]
            case str():
                for name, placeholder in self._own.items():
                    template = template.replace(placeholder, name)
        return template


async def prepare(api: Api) -> Asking:
    """Make a namespace in which everything can be created."""
    namespace, name = f"ns-{secrets.token_hex(6)}", f"r-{secrets.token_hex(6)}"
    await make_namespace(api, namespace)
    return Asking(api, namespace=namespace, name=name)


_ASK = {"created.json": Asking.create, "refused.json": Asking.send}
"""How the exchanges of a file are had; those of all others are stories."""


async def _record() -> None:
    async with open_plane(Flavor.KUBE, "recording") as plane, AsyncExitStack() as stack:
        api = await Callers(plane, stack).admin()
        for file in sorted(FOLDER.glob("*.json")):
            exchanges = load(file.name)
            for exchange in exchanges:
                asking = await prepare(api)
                exchange.update(await _ASK.get(file.name, Asking.tell)(asking, exchange))
            lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in exchanges)
            file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_record())
