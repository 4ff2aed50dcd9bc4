"""Ownership of fields after a create, update or patch: whoever changes a field owns it from then.

What others own of it they lose; what is removed nobody owns. Server-side apply has rules of its
own, see `server_side_apply`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches.comparison import Changes, compare
from towline_sandbox.embedded.patches.field_sets import difference, union
from towline_sandbox.embedded.patches.owners import (
    Identity,
    Operation,
    Owner,
    Owners,
    entries_of,
    is_reset,
    sent_owners,
    stored_owners,
    time_text,
    with_owners,
)
from towline_sandbox.embedded.patches.shapes import shape_of
from towline_sandbox.embedded.patches.untracked import owned_by_callers, reached

_MOST_UPDATERS = 10
_OLD_UPDATES = "ancient-changes"
_NAMELESS = "unknown"


def track_update(
    old: KubeObject | None,
    new: KubeObject,
    *,
    kind: Kind,
    manager: str,
    subresource: str,
    now: datetime,
) -> KubeObject:
    """Return the object with `metadata.managedFields` as they are after this write.

    To be called with what the caller wants, defaults included, but before the server sets what is
    its own to set (status of a new object, the requester of a CSR): that belongs to nobody.

    Args:
        old: The stored object; None if this one is new.
        new: The object that is to be stored. It is not changed; the result shares parts with it.
        kind: Kind of the object.
        manager: Who writes.
        subresource: What is written to; empty for the object itself.
        now: When.
    """
    before = _owners_before(old, new, kind=kind, subresource=subresource)
    if before is None or (not before and old is not None):
        return with_owners(new, {})  # an object that is not tracked stays so until it is applied
    owners = updated(
        before, old=old, new=new, kind=kind, manager=manager, subresource=subresource, now=now
    )
    return with_owners(new, owners)


def updated(
    owners: Owners,
    *,
    old: KubeObject | None,
    new: KubeObject,
    kind: Kind,
    manager: str,
    subresource: str,
    now: datetime,
) -> Owners:
    """Return the owners after an update from `old` to `new`."""
    changes = tracked_changes(old, new, kind=kind, subresource=subresource)
    if not changes.written and not changes.removed:
        return owners
    after = taken_from(_of_group(owners, kind.resource.group), changes)
    mine = owned_by_callers(changes.written)
    if mine:
        me = Owner(
            manager=manager or _NAMELESS,
            operation=Operation.UPDATE,
            api_version=kind.resource.api_version,
            subresource=subresource,
            time=time_text(now),
            fields=mine,
        )
        earlier = after.get(me.identity)
        after[me.identity] = me if earlier is None else me.owning(union(earlier.fields, mine))
    return _capped(after)


def tracked_changes(
    old: KubeObject | None, new: KubeObject, *, kind: Kind, subresource: str
) -> Changes:
    """Return what a write changes, without what it does not reach."""
    if old is None:
        old = {"apiVersion": new.get("apiVersion"), "kind": new.get("kind")}
    changes = compare(without_owners(old), without_owners(new), shape=shape_of(kind))
    return Changes(
        reached(changes.removed, kind=kind, subresource=subresource),
        reached(changes.written, kind=kind, subresource=subresource),
    )


def taken_from(owners: Mapping[Identity, Owner], changes: Changes) -> Owners:
    """Return the owners without what was written by another or removed; who has nothing goes."""
    left: Owners = {}
    gone = union(changes.removed, changes.written)
    for identity, owner in owners.items():
        rest = owner.owning(difference(owner.fields, gone))
        if rest.fields:
            left[identity] = rest
    return left


def _of_group(owners: Mapping[Identity, Owner], group: str) -> Owners:
    # Events are seen through two groups, and what is owned in one cannot be told in the other.
    return {
        identity: owner
        for identity, owner in owners.items()
        if owner.api_version.rpartition("/")[0] == group
    }


def without_owners(obj: KubeObject) -> KubeObject:
    """Return the object without `metadata.managedFields`; the rest of it is shared."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {k: v for k, v in metadata.items() if k != "managedFields"}}


def _owners_before(
    old: KubeObject | None, new: KubeObject, *, kind: Kind, subresource: str
) -> Owners | None:
    """Return the owners that the write starts from; None if the caller asks to forget them."""
    stored, sent = entries_of(old), entries_of(new)
    if subresource or sent is stored or sent == stored:
        return stored_owners(stored)
    if is_reset(sent, kind=kind):
        return None if old is not None else {}
    return sent_owners(sent) or stored_owners(stored)


def _capped(owners: Owners) -> Owners:
    """Return the owners with the oldest updaters of a version made one, if there are too many."""
    updaters = [owner for owner in owners.values() if owner.operation is Operation.UPDATE]
    excess = len(updaters) - _MOST_UPDATERS
    if excess <= 0:
        return owners
    updaters.sort(key=lambda owner: (owner.time or "", owner.identity.as_text()))
    capped = dict(owners)
    first: dict[str, Owner] = {}
    for owner in updaters:
        if excess == 0:
            break
        oldest = first.setdefault(owner.api_version, owner)
        if oldest is owner:
            continue
        bucket = replace(owner, manager=_OLD_UPDATES, subresource="")
        if bucket.identity not in capped:
            capped[bucket.identity] = bucket.owning(capped.pop(oldest.identity).fields)
        earlier = capped[bucket.identity].fields
        capped.pop(owner.identity, None)
        capped[bucket.identity] = bucket.owning(union(owner.fields, earlier))
        excess -= 1
    return capped
