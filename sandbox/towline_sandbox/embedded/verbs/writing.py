"""Creating, updating and patching objects."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import (
    ApiFailure,
    Cause,
    already_exists,
    bad_request,
    conflict,
    invalid,
    modified,
    not_found,
)
from towline_sandbox.embedded.storage.store import AlreadyThere, ChangedMeanwhile, Store
from towline_sandbox.embedded.verbs.copying import copy_of
from towline_sandbox.embedded.verbs.machinery import Machinery
from towline_sandbox.embedded.verbs.object_metadata import (
    count_generation,
    generated_name,
    keep_stamps,
    stamp_new,
)
from towline_sandbox.embedded.verbs.versions import as_served, as_stored

Admission = Callable[[Call, KubeObject | None, KubeObject | None], Awaitable[None]]
"""Refuses a write by raising, or changes the new object in place. Gets the call, the new object
(None if one goes) and the stored one (None if one comes)."""

ATTEMPTS = 64
"""How often a write is begun anew because another came in between; Kubernetes gives patches 5, but
there is somebody else's disk to wait for there."""
_NAME_ATTEMPTS = 8
_STATUS_LIKE = ("status", "approval")
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write.

    Args:
        object: The object as it is stored now, in the caller's version.
        created: Whether it was not there before.
    """

    object: KubeObject
    created: bool


Changing = Callable[[KubeObject | None], KubeObject]
"""Makes what the caller wants out of the object in the caller's version. May be called again."""


class Writer:
    """Carries out writes.

    Args:
        store: Where objects are.
        machinery: Decoding, patching, field ownership.
        admission: Has a say in every write.
    """

    def __init__(self, *, store: Store, machinery: Machinery, admission: Admission) -> None:
        self._store = store
        self._machinery = machinery
        self._admission = admission
        self._chance = random.SystemRandom()

    async def create(self, call: Call, body: KubeObject) -> KubeObject:
        """Store a new object."""
        wanted = self._decoded(call, body)
        _check_kind(call, wanted)
        metadata = wanted.setdefault("metadata", {})
        _check_namespace(call, metadata)
        is_named = bool(metadata.get("name"))
        attempts = 1 if is_named or not metadata.get("generateName") else _NAME_ATTEMPTS
        while True:
            attempts -= 1
            try:
                return await self._created(call, copy_of(wanted))
            except ApiFailure as failure:
                if failure.reason != "AlreadyExists" or not attempts:
                    raise

    async def update(self, call: Call, body: KubeObject) -> Written:
        """Replace an object with another state of it, or create it where the kind allows that."""
        wanted = self._decoded(call, body)
        _check_kind(call, wanted)
        metadata = wanted.setdefault("metadata", {})
        _check_name(call, metadata)
        traits = call.kind.traits
        return await self._write(
            call,
            lambda _current: copy_of(wanted),
            may_create=traits.may_create_by_update and not call.subresource,
        )

    async def patch(self, call: Call, content_type: str, patch: bytes) -> Written:
        """Change an object as a patch says; applying creates it."""
        if content_type.startswith("application/apply-patch"):
            raise bad_request("apply is not there yet")

        def patched(current: KubeObject | None) -> KubeObject:
            if current is None:
                raise not_found(call.kind.resource, call.target)
            result = self._machinery.apply_patch(
                copy_of(current), patch, media_type=content_type, kind=call.kind
            )
            return self._decoded(call, result)

        return await self._write(call, patched, may_create=False)

    async def _write(self, call: Call, changing: Changing, *, may_create: bool) -> Written:
        for _ in range(ATTEMPTS):
            stored = self._store.find(
                call.kind.storage_key, namespace=call.namespace, name=call.target
            )
            if stored is None and not may_create:
                raise not_found(call.kind.resource, call.target)
            try:
                if stored is None:
                    new = changing(None)
                    return Written(await self._created(call, new), created=True)
                return await self._updated(call, changing, stored)
            except ChangedMeanwhile:
                continue
        raise modified(call.kind.resource, call.target)

    async def _created(self, call: Call, obj: KubeObject) -> KubeObject:
        kind, metadata = call.kind, obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = generated_name(metadata["generateName"], chance=self._chance)
        if metadata.pop("resourceVersion", None):
            raise ApiFailure(500, "", "resourceVersion should not be set on objects to be created")
        stamp_new(obj, namespace=call.namespace, now=call.now)
        if kind.has_status:
            obj.pop("status", None)
        count_generation(obj, old=None, kind=kind)
        kind.traits.fill(call, obj, None)
        obj = self._machinery.track_update(
            None, obj, kind=kind, manager=call.field_manager, subresource="", now=call.now
        )
        await self._admission(call, obj, None)
        _check(call, obj, None)
        name = metadata["name"]
        to_store = await as_stored(kind, obj)
        if call.dry_run:
            if self._store.find(kind.storage_key, namespace=call.namespace, name=name):
                raise already_exists(kind.resource, name)
            return obj
        try:
            stored = self._store.create(kind.storage_key, to_store)
        except AlreadyThere:
            raise already_exists(kind.resource, name) from None
        return (await as_served(kind, [stored]))[0]

    async def _updated(self, call: Call, changing: Changing, stored: KubeObject) -> Written:
        kind = call.kind
        old = (await as_served(kind, [stored]))[0]
        new = changing(old)
        _check_uid(call, new, old)
        _check_version(call, new, old)
        new = _confined(call, new, old)
        keep_stamps(new, old=old)
        kind.traits.fill(call, new, old)
        if not call.subresource:
            count_generation(new, old=old, kind=kind)
        new = self._machinery.track_update(
            old,
            new,
            kind=kind,
            manager=call.field_manager,
            subresource=call.subresource,
            now=call.now,
        )
        await self._admission(call, new, old)
        _check(call, new, old)
        if new == old or call.dry_run:
            return Written(new, created=False)
        to_store = await as_stored(kind, new)
        revision = stored["metadata"]["resourceVersion"]
        if _is_finished(to_store, old):
            self._store.delete(
                kind.storage_key,
                namespace=call.namespace,
                name=call.target,
                expected_revision=revision,
            )
            return Written(new, created=False)
        replaced = self._store.replace(kind.storage_key, to_store, expected_revision=revision)
        return Written((await as_served(kind, [replaced]))[0], created=False)

    def _decoded(self, call: Call, body: KubeObject) -> KubeObject:
        return self._machinery.decode(
            body, kind=call.kind, field_validation=call.field_validation, warnings=call.warnings
        )


def _check_kind(call: Call, obj: KubeObject) -> None:
    expected, found = call.kind.resource.api_version, obj.get("apiVersion")
    if found and found != expected:
        raise bad_request(
            f"the API version in the data ({found}) does not match the expected API version "
            f"({expected})"
        )
    obj["apiVersion"], obj["kind"] = expected, call.kind.resource.kind


def _check_namespace(call: Call, metadata: KubeObject) -> None:
    if call.namespace is None:
        return
    if metadata.setdefault("namespace", call.namespace) != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_name(call: Call, metadata: KubeObject) -> None:
    name = metadata.setdefault("name", call.name)
    if name != call.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({call.name})"
        )
    _check_namespace(call, metadata)


def _check_uid(call: Call, new: KubeObject, old: KubeObject) -> None:
    uid, found = new["metadata"].get("uid"), old["metadata"]["uid"]
    if uid and uid != found:
        raise conflict(
            call.kind.resource,
            call.target,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}",
        )


def _check_version(call: Call, new: KubeObject, old: KubeObject) -> None:
    expected = old["metadata"]["resourceVersion"]
    found = new["metadata"].get("resourceVersion")
    if not found and call.kind.custom:
        raise invalid(
            call.kind.resource,
            call.target,
            [
                Cause(
                    "FieldValueInvalid",
                    "Invalid value: 0: must be specified for an update",
                    "metadata.resourceVersion",
                )
            ],
        )
    if found and found != expected:
        raise modified(call.kind.resource, call.target)
    new["metadata"]["resourceVersion"] = expected


def _confined(call: Call, new: KubeObject, old: KubeObject) -> KubeObject:
    """Return the old object with what this path of the API may change taken from the new one."""
    if call.subresource in _STATUS_LIKE:
        confined = copy_of(old)
        if "status" in new:
            confined["status"] = new["status"]
        else:
            confined.pop("status", None)
        if not call.kind.custom:
            confined["metadata"] = new["metadata"]
        return confined
    if call.kind.has_status:
        if "status" in old:
            new["status"] = copy_of(old["status"])
        else:
            new.pop("status", None)
    return new


def _check(call: Call, new: KubeObject, old: KubeObject | None) -> None:
    name = new["metadata"].get("name", "")
    causes = list(call.kind.traits.check(call, new, old))
    if causes:
        raise invalid(call.kind.resource, name, causes)


def _is_finished(new: KubeObject, old: KubeObject) -> bool:
    """Return whether the last that held a deleted object is gone."""
    return (
        "deletionTimestamp" in old["metadata"]
        and not new["metadata"].get("finalizers")
        and not old["metadata"].get("deletionGracePeriodSeconds")
    )
