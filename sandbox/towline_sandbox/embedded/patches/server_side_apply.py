"""Server-side apply: a manager says all it wants, and the server knows what it wanted before.

Fields that others want otherwise are conflicts, unless the manager forces them. What it wanted
before and does not want any more goes, unless somebody else owns it too.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import bad_request, conflict
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches import client_side_apply
from towline_sandbox.embedded.patches.conflicts import conflicts_over, refusal
from towline_sandbox.embedded.patches.conformity import check_applied
from towline_sandbox.embedded.patches.field_sets import (
    NOTHING,
    FieldSet,
    difference,
    intersection,
    union,
)
from towline_sandbox.embedded.patches.go_words import kind_words
from towline_sandbox.embedded.patches.managed_fields import (
    taken_from,
    tracked_changes,
    updated,
    without_owners,
)
from towline_sandbox.embedded.patches.merging import merge
from towline_sandbox.embedded.patches.owners import (
    Operation,
    Owner,
    Owners,
    entries_of,
    stored_owners,
    time_text,
    with_owners,
)
from towline_sandbox.embedded.patches.removal import fields_of, named, without
from towline_sandbox.embedded.patches.shapes import Shape, shape_of
from towline_sandbox.embedded.patches.untracked import owned_by_callers, reached
from towline_sandbox.embedded.patches.values import is_same, private

_BEFORE_FIRST_APPLY = "before-first-apply"


def apply(
    live: KubeObject | None,
    applied: KubeObject,
    *,
    kind: Kind,
    manager: str,
    force: bool,
    subresource: str,
    now: datetime,
) -> KubeObject:
    """Return the object with what the manager applies, and with its owners as they are then.

    The result is a private copy without defaults: those are nobody's and filled in afterwards.

    Args:
        live: The stored object; None if there is none.
        applied: All that the manager wants.
        kind: Kind of the object.
        manager: Who applies.
        force: Take fields from others that want them otherwise.
        subresource: What is applied to; empty for the object itself.
        now: When.

    Raises:
        ApiFailure: The applied object is no good, or conflicts with what others own.
    """
    check_form(applied, kind=kind)
    if live is None:
        _check_new(applied, kind)
    shape = shape_of(kind)
    base = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind}
    stored = base if live is None else without_owners(live)
    owners = _owners_before(live, kind=kind, subresource=subresource, now=now)
    me = Owner(
        manager=manager,
        operation=Operation.APPLY,
        api_version=kind.resource.api_version,
        subresource=subresource,
        time=None,
        fields=reached(fields_of(applied, shape=shape), kind=kind, subresource=subresource),
    )
    before = owners.pop(me.identity, None)
    wanted = merge(stored, applied, shape=shape)
    # Most applies only give what they name other values, and drop nothing.
    if before is not None and difference(before.fields, me.fields):
        claims = [me, *owners.values()]
        wanted = _pruned(wanted, claims, dropped_from=before.fields, shape=shape)
    changes = tracked_changes(stored, wanted, kind=kind, subresource=subresource)
    if not force:
        conflicts = client_side_apply.still_conflicting(
            conflicts_over(changes.written, owners), live=stored, kind=kind, manager=manager
        )
        if conflicts:
            raise refusal(conflicts)
    after = taken_from(owners, changes)
    if mine := owned_by_callers(me.fields):
        earlier = None if before is None else before.time
        time = earlier if is_same(stored, wanted) else time_text(now)
        after[me.identity] = replace(me, time=time, fields=mine)
    result = with_owners(private(wanted), after)
    return client_side_apply.with_last_applied(result, applied=applied, manager=manager)


def check_form(applied: KubeObject, *, kind: Kind) -> None:
    """Refuse an applied object that is not of the kind.

    Raises:
        ApiFailure: It is of another kind, or has fields or types that the kind does not allow.
    """
    version, name = applied.get("apiVersion") or "", applied.get("kind") or ""
    if (version, name) != (kind.resource.api_version, kind.resource.kind):
        raise bad_request(f"invalid object type: {kind_words(version, name)}")
    if entries_of(applied) is not None:
        raise bad_request("metadata.managedFields must be nil")
    check_applied(applied, kind=kind)


def _check_new(applied: KubeObject, kind: Kind) -> None:
    metadata = applied.get("metadata") or {}
    if metadata.get("uid"):
        raise conflict(
            kind.resource,
            metadata.get("name") or "",
            f"uid mismatch: the provided object specified uid {metadata['uid']}, and no existing "
            "object was found",
        )


def _owners_before(
    live: KubeObject | None, *, kind: Kind, subresource: str, now: datetime
) -> Owners:
    """Return who owns the object so far; what nobody was noted for gets an owner of its own."""
    owners = stored_owners(entries_of(live))
    if owners or live is None:
        return owners
    return updated(
        {},
        old=None,
        new=live,
        kind=kind,
        manager=_BEFORE_FIRST_APPLY,
        subresource=subresource,
        now=now,
    )


def _pruned(merged: Any, owners: Iterable[Owner], *, dropped_from: FieldSet, shape: Shape) -> Any:
    """Return the object without what the manager owned before and nobody owns now.

    Args:
        merged: The object, as the manager wants it over what is stored.
        owners: All owners; the manager itself with what it wants now.
        dropped_from: What the manager owned before.
        shape: Shape of the object.
    """
    last = named(dropped_from, shape=shape)
    bare = without(merged, last, shape=shape)
    owned: FieldSet = NOTHING
    for owner in owners:
        owned = union(owned, owner.fields)
    everything = named(fields_of(merged, shape=shape), shape=shape)
    kept = union(named(fields_of(bare, shape=shape), shape=shape), named(owned, shape=shape))
    bare = without(merged, difference(everything, kept), shape=shape)
    # Below what was dropped may be fields that this manager never owned: they stay.
    left = named(fields_of(bare, shape=shape), shape=shape)
    return without(merged, intersection(difference(everything, left), last), shape=shape)
