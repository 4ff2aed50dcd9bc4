"""Two planes that are told the same, and have to answer the same."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, TypeVar

from conformance.api import Answer, Api
from towline_api.resources import KubeObject

_T = TypeVar("_T")

MADE = "made-"
"""What the names begin with that servers make up."""

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSION_IN_WORDS = re.compile(r"([rR]esourceVersion[^:(\n]*[:(] ?)\d+")
_MADE = re.compile(rf"{MADE}[a-z0-9]{{5}}\b")
_PATCHED = re.compile(r'Invalid value: "\{.*\}"', re.DOTALL)
_WARNING = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*", re.DOTALL)
_STAMPS = ("creationTimestamp", "deletionTimestamp", "time")


@dataclass(slots=True)
class Twin:
    """One of the planes, and what has to be known to compare what it says.

    Args:
        title: How a difference names it.
        api: The plane.
    """

    title: str
    api: Api
    _uids: dict[str, str] = field(default_factory=dict, init=False)
    _made_names: dict[str, str] = field(default_factory=dict, init=False)
    _versions: dict[str, int] = field(default_factory=dict, init=False)

    def comparable(self, answer: Answer) -> KubeObject:
        """Return what has to be the same on the other plane."""
        return {
            "status": answer.status,
            # In one header or in several, which is the same in HTTP.
            "warnings": _WARNING.findall(self._words(answer.headers.get("Warning", ""))),
            "body": _without_order_of_causes(self.plain(answer.body)),
        }

    def plain(self, found: Any) -> Any:
        """Return an object without what servers make up.

        Identities become numbers in the order in which they were seen, and resource versions say
        whether they are new for their object.
        """
        match found:
            case dict():
                plain = {self._words(key): self.plain(value) for key, value in found.items()}
                if isinstance(found.get("metadata"), dict):
                    plain["metadata"] = self._metadata(found["metadata"], plain["metadata"])
                return plain
            case list():
                return [self.plain(item) for item in found]
            case str():
                return self._words(found)
        return found

    def name_of(self, found: KubeObject) -> str:
        """Return the name of an object, or of that of an event, as it is compared."""
        return self._words(found.get("object", found)["metadata"]["name"])

    def _metadata(self, found: KubeObject, plain: KubeObject) -> KubeObject:
        kept = {key: "stamped" if key in _STAMPS else value for key, value in plain.items()}
        if "resourceVersion" in found:
            kept["resourceVersion"] = self._age(found)
        if "managedFields" in found:
            # Servers sort them by second: the order depends on when the test runs.
            entries = [{**entry, "time": "stamped"} for entry in plain["managedFields"]]
            kept["managedFields"] = sorted(
                entries, key=lambda entry: json.dumps(entry, sort_keys=True)
            )
        return kept

    def _age(self, metadata: KubeObject) -> str:
        if "uid" not in metadata:
            return "of a list"
        version, last = int(metadata["resourceVersion"]), self._versions.get(metadata["uid"], 0)
        self._versions[metadata["uid"]] = max(version, last)
        if version == last:
            return "same"
        return "newer" if version > last else "older"

    def _words(self, text: str) -> str:
        text = _UID.sub(lambda found: _numbered("uid", found.group(), self._uids), text)
        text = _MADE.sub(lambda found: _numbered("made", found.group(), self._made_names), text)
        # The real server writes the whole object in an order of its own.
        text = _PATCHED.sub("Invalid value: (the patched object)", text)
        return _CERTIFICATE.sub("a certificate", _VERSION_IN_WORDS.sub(r"\1N", text))


def _without_order_of_causes(body: KubeObject) -> KubeObject:
    """Sort what is wrong with a custom object: the real server finds it in any order."""
    details = body.get("details", {})
    causes = details.get("causes", [])
    if len(causes) < 2 or not details.get("group", "").endswith(".example.com"):
        return body
    head, _, _ = body["message"].partition("[")  # what follows are the causes, one by one
    causes = sorted(causes, key=lambda cause: json.dumps(cause, sort_keys=True))
    return {**body, "message": head, "details": {**details, "causes": causes}}


def _numbered(what: str, found: str, known: dict[str, str]) -> str:
    return known.setdefault(found, f"{what} {len(known)}")


@dataclass(frozen=True, slots=True)
class Twins:
    """Both planes.

    Args:
        runner: Where calls run.
        real: The real one.
        embedded: The embedded one.
    """

    runner: asyncio.Runner
    real: Twin
    embedded: Twin

    def each(self, act: Callable[[Twin], Awaitable[_T]]) -> tuple[_T, _T]:
        """Do something on both planes at once."""

        async def both() -> tuple[_T, _T]:
            first, second = await asyncio.gather(act(self.real), act(self.embedded))
            return first, second

        return self.runner.run(both())

    def same(self, what: str, act: Callable[[Twin], Awaitable[Answer]]) -> Answer:
        """Call both planes, compare their answers, and return that of the real one."""
        real, embedded = self.each(act)
        assert_same(what, self.real.comparable(real), self.embedded.comparable(embedded))
        return real


def assert_same(what: str, real: object, embedded: object) -> None:
    """Compare, and show the differing lines."""
    if real != embedded:
        first, second = (
            json.dumps(side, indent=1, sort_keys=True).splitlines() for side in (real, embedded)
        )
        shown = "\n".join(unified_diff(first, second, "kube", "embedded", lineterm="", n=4))
        raise AssertionError(f"{what}\n{shown}")


@dataclass(frozen=True, slots=True)
class Period:
    """A part of a history.

    Args:
        ends: The resource version that is its last, on each plane.
        is_ordered: Whether both planes have to tell all of it in the same order: controllers work
            at several objects at once.
    """

    ends: tuple[int, int]
    is_ordered: bool


def by_period(
    events: Sequence[KubeObject], periods: Sequence[Period], *, side: int, twin: Twin
) -> list[list[KubeObject]]:
    """Cut what a twin told into periods; those without an order are sorted by object."""
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions)), f"a watch went back: {versions}"
    found: list[list[KubeObject]] = [[] for _ in (*periods, None)]
    for event, version in zip(events, versions, strict=True):
        index = next((i for i, p in enumerate(periods) if version <= p.ends[side]), len(periods))
        found[index].append(event)
    for period, part in zip(periods, found, strict=False):
        if not period.is_ordered:
            part.sort(key=twin.name_of)
    return found
