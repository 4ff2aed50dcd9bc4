"""What two runs have to agree on: all that is on both planes, but for what is always new."""

import re
from typing import Any

from crash_points.world import World
from towline_api.condition_types import CLOCK_SYNCED
from towline_api.resources import KubeObject

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----")
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
_DIFFERENT_EVERY_TIME = frozenset(
    {
        "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields",
        "lastTransitionTime", "lastUpdateTime", "renewTime", "acquireTime", "leaseTransitions",
        "caBundle",
    }
)  # fmt: skip
_KEPT_APART = frozenset({"Event", "CertificateSigningRequest"})
"""Requests are held to rules of their own; Events come again when a program does."""

State = dict[str, Any]
"""Objects by `plane kind namespace/name`."""


class Looker:
    """Looks at the planes of one world again and again.

    Stored objects never change, so each is made comparable once.

    Args:
        world: The planes.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[str, tuple[str, Any]] = {}

    def state(self) -> State:
        """Return what is on the planes."""
        found: State = {}
        for plane in (self._world.hub_plane, self._world.spoke_plane):
            for obj in plane.objects():
                metadata = obj["metadata"]
                # Bootstrap tokens have names of their own in each run.
                if obj["kind"] in _KEPT_APART or metadata.get("namespace") == "kube-system":
                    continue
                place = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
                key = f"{plane.name} {obj['kind']} {place}"
                found[key] = self._comparable(key, obj)
        return found

    def _comparable(self, key: str, obj: KubeObject) -> Any:
        version = obj["metadata"]["resourceVersion"]
        known = self._seen.get(key)
        if known is None or known[0] != version:
            known = self._seen[key] = (version, _stable(obj))
        return known[1]


def differences(wanted: State, found: State) -> list[str]:
    """Say how two states differ, one line an object."""
    lines = [f"missing: {key}" for key in sorted(wanted.keys() - found.keys())]
    lines += [f"orphaned: {key}" for key in sorted(found.keys() - wanted.keys())]
    for key in sorted(wanted.keys() & found.keys()):
        if wanted[key] != found[key]:
            lines.append(f"{key}: wanted {wanted[key]}, found {found[key]}")
    return lines


def _stable(value: Any, *, key: str = "") -> Any:
    match value:
        case dict():
            secret = value.get("kind") == "Secret"
            return {
                name: _opaque(part) if secret and name == "data" else _stable(part, key=name)
                for name, part in value.items()
                if name not in _DIFFERENT_EVERY_TIME
            }
        case list():
            items = [_stable(item) for item in value if not _comes_with_the_next_beat(item)]
            # Conditions come in the order in which they were first set, which is chance.
            return sorted(items, key=lambda c: str(c.get("type"))) if key == "conditions" else items
        case str():
            for pattern, word in ((_PEM, "PEM"), (_ADDRESS, "ADDRESS"), (_INSTANT, "INSTANT")):
                value = pattern.sub(word, value)
            return value
        case _:
            return value


def _comes_with_the_next_beat(item: Any) -> bool:
    """A hub compares clocks by beats that it sees live, so a new one does a minute later."""
    return isinstance(item, dict) and item.get("type") == CLOCK_SYNCED


def _opaque(data: KubeObject) -> list[str]:
    """Return which entries a Secret has: keys, certificates and tokens are always new ones."""
    return sorted(data)
