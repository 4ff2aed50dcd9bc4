"""Creating, updating and patching objects."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.model.admissions import Admission
from towline_sandbox.embedded.model.calls import Call, FieldValidation
from towline_sandbox.embedded.model.failures import (
    ApiFailure,
    already_exists,
    invalid,
    modified,
    not_found,
)
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches import apply_patch, server_side_apply
from towline_sandbox.embedded.patches.managed_fields import track_update
from towline_sandbox.embedded.patches.media_types import (
    APPLY,
    STRATEGIC_MERGE,
    accepted,
    not_accepted,
)
from towline_sandbox.embedded.patches.owners import differ_in_times_only
from towline_sandbox.embedded.patches.reading import parse_apply
from towline_sandbox.embedded.patches.slips import refused_apply, slips_in
from towline_sandbox.embedded.patches.strategic_merge import merged_words
from towline_sandbox.embedded.patches.values import is_same
from towline_sandbox.embedded.queries.query_options import is_forced
from towline_sandbox.embedded.queries.write_options import check_write_options
from towline_sandbox.embedded.storage.store import AlreadyThere, ChangedMeanwhile, Store
from towline_sandbox.embedded.verbs.incoming import check_place, read_body, read_patched
from towline_sandbox.embedded.verbs.metadata_rules import broken_when_changed, broken_when_new
from towline_sandbox.embedded.verbs.namespace_lifecycle import check_namespace_takes
from towline_sandbox.embedded.verbs.object_metadata import (
    count_generation,
    drop_stamps,
    generated_name,
    in_order,
    is_finished,
    keep_stamps,
    stamp_new,
)
from towline_sandbox.embedded.verbs.outlines import outline, outline_new
from towline_sandbox.embedded.verbs.version_checks import (
    check_same_object,
    check_same_version,
)
from towline_sandbox.embedded.verbs.versions import as_served, as_stored

ATTEMPTS = 64
"""How often a write is begun anew because another one came in between while it waited."""
_NAME_ATTEMPTS = 8
_COUNTED_PATHS = ("", "scale")
"""Paths of the API that lead to what `generation` counts."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write.

    Args:
        object: The object as it is stored now, in the caller's version.
        created: Whether it was not there before.
    """

    object: KubeObject
    created: bool


Change = Callable[[KubeObject | None], KubeObject]
"""Makes what the caller wants, with whose the fields are, out of the stored object in the caller's
version; None if there is none. Called again if another write comes in between."""


class Writer:
    """Carries out writes.

    Args:
        store: Where objects are.
        admission: Has a say in every write, before the rules of the kind are looked at.
        last_word: Has a say in every write that breaks no rule.
    """

    def __init__(self, *, store: Store, admission: Admission, last_word: Admission) -> None:
        self._store = store
        self._admission = admission
        self._last_word = last_word
        self._chance = random.SystemRandom()

    async def create(self, call: Call, body: KubeObject) -> KubeObject:
        """Store a new object."""
        check_write_options(call)
        attempts = _NAME_ATTEMPTS
        while True:
            wanted = read_body(call, body)
            metadata = wanted["metadata"]
            check_place(call, metadata)
            drop_stamps(metadata)
            is_named = bool(metadata.get("name")) or not metadata.get("generateName")
            try:
                return await self._created(call, _tracked(call, wanted, None))
            except ApiFailure as failure:
                attempts -= 1
                if failure.reason != "AlreadyExists" or is_named or not attempts:
                    raise

    async def update(self, call: Call, body: KubeObject) -> Written:
        """Replace an object with another state of it, or create it where the kind allows that."""
        check_write_options(call)
        first = read_body(call, body)
        check_place(call, first["metadata"])
        unused = [first]

        def change(old: KubeObject | None) -> KubeObject:
            wanted = unused.pop() if unused else _read_again(call, body)
            uid = "" if old is None else old["metadata"]["uid"]
            check_same_object(call, wanted["metadata"], uid=uid)
            return _tracked(call, wanted, old)

        may_create = call.kind.traits.may_create_by_update and not call.subresource
        return await self.write(call, change, may_create=may_create)

    async def patch(self, call: Call, media_type: str, patch: bytes) -> Written:
        """Change an object as a patch says; applying creates it if it is not there."""
        if media_type == APPLY:
            return await self._apply(call, patch)
        if media_type not in accepted(call.kind):
            raise not_accepted(call.kind)
        check_write_options(call)
        told = _tell_once(call)

        def change(old: KubeObject | None) -> KubeObject:
            if old is None:
                raise not_found(call.kind.resource, call.target)
            patched = apply_patch(old, patch, media_type=media_type, kind=call.kind)
            wanted = read_patched(
                next(told),
                patched,
                slips=_slips(call, patch, media_type),
                shown=merged_words(patch) if media_type == STRATEGIC_MERGE else None,
            )
            check_place(call, wanted["metadata"])
            return _tracked(call, wanted, old)

        return await self.write(call, change, may_create=False)

    async def _apply(self, call: Call, patch: bytes) -> Written:
        check_write_options(call, is_apply=True)
        applied = parse_apply(patch)
        slips = _slips(call, patch, APPLY)
        told = _tell_once(call)

        def change(old: KubeObject | None) -> KubeObject:
            merged = server_side_apply.apply(
                old,
                applied,
                kind=call.kind,
                manager=call.field_manager,
                force=is_forced(call.query),
                subresource=call.subresource,
                now=call.now,
            )
            if slips and call.field_validation is FieldValidation.STRICT:
                raise refused_apply(slips)
            wanted = read_patched(next(told), merged, slips=slips, applied=True)
            check_place(call, wanted["metadata"])
            return wanted

        return await self.write(call, change, may_create=not call.subresource)

    async def write(self, call: Call, change: Change, *, may_create: bool) -> Written:
        """Store what a change makes of an object.

        Args:
            call: Names the object.
            change: Makes what the caller wants.
            may_create: Whether the object is created if it is not there.

        Raises:
            ApiFailure: It is not to be.
        """
        key = call.kind.storage_key
        for _ in range(ATTEMPTS):
            stored = self._store.find(key, namespace=call.namespace, name=call.target)
            try:
                if stored is not None:
                    return await self._updated(call, change, stored)
                if not may_create:
                    raise not_found(call.kind.resource, call.target)
                wanted = change(None)
                wanted["metadata"].pop("resourceVersion", None)
                as_create = replace(call, verb="create")
                return Written(await self._created(as_create, wanted), created=True)
            except ChangedMeanwhile:
                continue
        raise modified(call.kind.resource, call.target)

    async def _created(self, call: Call, obj: KubeObject) -> KubeObject:
        kind, metadata = call.kind, obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = generated_name(metadata["generateName"], chance=self._chance)
        name = metadata.get("name", "")
        check_namespace_takes(self._store, call, name=name)
        named_version = metadata.pop("resourceVersion", "")
        stamp_new(metadata, now=call.now)
        outline_new(call, obj)
        kind.traits.fill(call, obj, None)
        count_generation(obj, old=None, kind=kind)
        await self._admission(call, obj, None)
        causes = broken_when_new(metadata, kind=kind) + list(kind.traits.check(call, obj, None))
        if causes:
            raise invalid(_stored_resource(kind), name, causes)
        call.warnings.extend(kind.traits.warn(call, obj, None))
        await self._last_word(call, obj, None)
        to_store = await as_stored(kind, in_order(obj, kind=kind))
        there = self._store.find(kind.storage_key, namespace=call.namespace, name=name)
        if there is not None:
            raise _already_there(call, metadata, there)
        if call.dry_run:
            obj = in_order(obj, kind=kind)
            del obj["metadata"]["resourceVersion"]
            return obj
        if named_version.isdigit() and int(named_version):
            raise ApiFailure(500, "", "resourceVersion should not be set on objects to be created")
        try:
            stored = self._store.create(kind.storage_key, to_store)
        except AlreadyThere:
            raise already_exists(kind.resource, name) from None
        return (await as_served(kind, [stored]))[0]

    async def _updated(self, call: Call, change: Change, stored: KubeObject) -> Written:
        kind, version = call.kind, stored["metadata"]["resourceVersion"]
        old = (await as_served(kind, [stored]))[0]
        new = change(old)
        check_same_version(call, new["metadata"], version=version)
        new = outline(call, new, old=old)
        metadata = new["metadata"]
        keep_stamps(metadata, before=old["metadata"])
        kind.traits.fill(call, new, old)
        if call.subresource in _COUNTED_PATHS:
            count_generation(new, old=old, kind=kind)
        await self._admission(call, new, old)
        causes = broken_when_changed(metadata, old["metadata"], kind=kind)
        causes += kind.traits.check(call, new, old)
        if causes:
            raise invalid(_stored_resource(kind), call.target, causes)
        call.warnings.extend(kind.traits.warn(call, new, old))
        await self._last_word(call, new, old)
        if is_finished(new, old):
            if not call.dry_run:
                self._store.delete(
                    kind.storage_key,
                    namespace=call.namespace,
                    name=call.target,
                    expected_revision=version,
                )
            return Written(new, created=False)
        new = in_order(new, kind=kind)
        if call.dry_run or is_same(new, old):
            return Written(new, created=False)
        if differ_in_times_only(new, old):
            return Written(old, created=False)
        to_store = await as_stored(kind, new)
        replaced = self._store.replace(kind.storage_key, to_store, expected_revision=version)
        return Written((await as_served(kind, [replaced]))[0], created=False)


def _stored_resource(kind: Kind) -> Resource:
    # Rules are broken by what is stored: an Event of `events.k8s.io` is an Event of the core group.
    return replace(kind.resource, group=kind.stored_as.group)


def _tracked(call: Call, wanted: KubeObject, old: KubeObject | None) -> KubeObject:
    return track_update(
        old,
        wanted,
        kind=call.kind,
        manager=call.field_manager,
        subresource=call.subresource,
        now=call.now,
    )


def _slips(call: Call, patch: bytes, media_type: str) -> tuple[str, ...]:
    if call.field_validation is FieldValidation.IGNORE:
        return ()
    return slips_in(patch, media_type=media_type)


def _tell_once(call: Call) -> Iterator[Call]:
    """Yield the call, and then such as tell their warnings to nobody: they were heard already."""
    yield call
    while True:
        yield replace(call, warnings=[])


def _read_again(call: Call, body: KubeObject) -> KubeObject:
    # Whatever there is to warn of has been said.
    wanted = read_body(replace(call, warnings=[]), body)
    check_place(call, wanted["metadata"])
    return wanted


def _already_there(call: Call, metadata: KubeObject, there: KubeObject) -> ApiFailure:
    failure = already_exists(call.kind.resource, metadata["name"])
    told = failure.message
    if metadata.get("generateName"):
        told += ", the server was not able to generate a unique name for the object"
    if "deletionTimestamp" in there["metadata"]:
        told = f"object is being deleted: {told}"
    return ApiFailure(
        failure.code,
        failure.reason,
        told,
        details=failure.details,
        retry_after_seconds=1 if metadata.get("generateName") else None,
    )
