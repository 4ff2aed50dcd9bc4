"""The entries of `metadata.managedFields`: who owns which fields, by which operation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches.field_sets import NOTHING, FieldSet, parse
from towline_sandbox.embedded.patches.values import is_same


class Operation(StrEnum):
    """How a manager came to own what it owns."""

    APPLY = "Apply"
    UPDATE = "Update"


_OPERATIONS = frozenset(Operation)


class Identity(NamedTuple):
    """What tells entries apart. An applier keeps its entry whatever version it speaks."""

    manager: str
    operation: Operation
    api_version: str
    subresource: str

    def as_text(self) -> str:
        """Return it as text that sorts as Kubernetes sorts managers."""
        parts = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "subresource": self.subresource,
        }
        return orjson.dumps({name: part for name, part in parts.items() if part}).decode()


@dataclass(frozen=True, slots=True)
class Owner:
    """One manager and what it owns.

    Args:
        manager: Its name.
        operation: How it came to own it.
        api_version: `apiVersion` that it spoke.
        subresource: What it wrote to; empty for the object itself.
        time: When it last changed what it owns, RFC 3339 in UTC.
        fields: What it owns.
    """

    manager: str
    operation: Operation
    api_version: str
    subresource: str
    time: str | None
    fields: FieldSet

    @property
    def identity(self) -> Identity:
        """What tells it from the other entries."""
        version = "" if self.operation is Operation.APPLY else self.api_version
        return Identity(self.manager, self.operation, version, self.subresource)

    def owning(self, fields: FieldSet) -> "Owner":
        """Return the entry with other fields."""
        return self if fields is self.fields else replace(self, fields=fields)

    def as_entry(self) -> KubeObject:
        """Return the entry as it stands in an object."""
        entry: KubeObject = {}
        if self.manager:
            entry["manager"] = self.manager
        entry["operation"] = self.operation.value
        entry["apiVersion"] = self.api_version
        if self.time is not None:
            entry["time"] = self.time
        entry["fieldsType"] = "FieldsV1"
        entry["fieldsV1"] = self.fields
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry


Owners = dict[Identity, Owner]
"""All entries of an object."""


def time_text(now: datetime) -> str:
    """Return an instant as entries hold it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stored_owners(entries: object) -> Owners:
    """Return the entries of a stored object, whose sets are ours already."""
    return _read(entries, trusted=True) or {}


def sent_owners(entries: object) -> Owners | None:
    """Return the entries that a caller sent; None if they make no sense."""
    return _read(entries, trusted=False)


def is_reset(entries: object, *, kind: Kind) -> bool:
    """Whether a caller asks to forget all owners: one empty entry, or (of built-in kinds) none."""
    return entries == [{}] or (entries == [] and not kind.custom)


def written(owners: Iterable[Owner]) -> list[KubeObject]:
    """Return the entries as they stand in an object, in Kubernetes' order."""
    in_order = sorted(
        owners,
        key=lambda owner: (
            owner.operation,
            owner.time or "",
            owner.manager,
            owner.api_version,
            owner.subresource,
        ),
    )
    return [owner.as_entry() for owner in in_order]


def with_owners(obj: KubeObject, owners: Mapping[Identity, Owner]) -> KubeObject:
    """Return the object with these entries; the rest of it is shared."""
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    if owners:
        metadata["managedFields"] = written(owners.values())
    return {**obj, "metadata": metadata}


def differ_in_times_only(new: KubeObject, old: KubeObject) -> bool:
    """Whether a write changed nothing but the times of entries; then it is none.

    That happens to values that are written in one form and stored in another, such as `1000m`.
    """
    mine, theirs = entries_of(new), entries_of(old)
    if mine is None or theirs is None:
        return False
    # Most writes change something else, and that is seen soonest.
    if not is_same(with_owners(new, {}), with_owners(old, {})):
        return False
    return _timeless(mine) == _timeless(theirs)


def entries_of(obj: KubeObject | None) -> Any:
    """Return `metadata.managedFields` of an object."""
    return None if obj is None else (obj.get("metadata") or {}).get("managedFields")


def _timeless(entries: list[KubeObject]) -> list[KubeObject]:
    plain = [{key: part for key, part in entry.items() if key != "time"} for entry in entries]
    return sorted(plain, key=lambda entry: orjson.dumps(entry, option=orjson.OPT_SORT_KEYS))


def _read(entries: object, *, trusted: bool) -> Owners | None:
    if not isinstance(entries, list):
        return {}
    owners = (_owner(entry, trusted=trusted) for entry in entries)
    found: Owners = {}
    for owner in owners:
        if owner is None:
            return None
        found[owner.identity] = owner
    return found


def _owner(entry: Mapping[str, Any], *, trusted: bool) -> Owner | None:
    """Return one entry; None if it is not whole."""
    if entry.get("operation") not in _OPERATIONS or entry.get("fieldsType") != "FieldsV1":
        return None
    if not entry.get("apiVersion"):
        return None
    fields = entry.get("fieldsV1") or NOTHING
    if not trusted:
        try:
            fields = parse(fields)
        except ValueError:
            return None
    return Owner(
        manager=entry.get("manager", ""),
        operation=Operation(entry["operation"]),
        api_version=entry["apiVersion"],
        subresource=entry.get("subresource", ""),
        time=entry.get("time"),
        fields=fields,
    )
