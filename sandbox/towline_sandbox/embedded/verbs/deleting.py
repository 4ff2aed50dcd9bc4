"""Deleting objects, at once or as soon as everybody who asked to be waited for is done."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time, parse_time
from towline_sandbox.embedded.model.admissions import Admission
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure, modified, not_found
from towline_sandbox.embedded.queries.write_options import delete_options
from towline_sandbox.embedded.storage.store import ChangedMeanwhile, Store
from towline_sandbox.embedded.verbs.habits import Habits, habits_of
from towline_sandbox.embedded.verbs.metadata_rules import FOREGROUND, ORPHAN
from towline_sandbox.embedded.verbs.namespace_lifecycle import (
    NAMESPACES_KEY,
    check_namespace_may_go,
)
from towline_sandbox.embedded.verbs.reading import list_objects
from towline_sandbox.embedded.verbs.versions import as_served
from towline_sandbox.embedded.verbs.writing import ATTEMPTS

_ENDED_PHASES = ("Failed", "Succeeded")
_DEFAULT_GRACE = 30


@dataclass(frozen=True, slots=True)
class Deleted:
    """What came of a deletion.

    Args:
        object: The Status that says so, or the object that still is there or just was.
        code: HTTP status.
    """

    object: KubeObject
    code: int = 200


class Deleter:
    """Carries out deletions.

    Args:
        store: Where objects are.
        admission: Has a say in every write.
    """

    def __init__(self, *, store: Store, admission: Admission) -> None:
        self._store = store
        self._admission = admission

    async def delete(self, call: Call, body: KubeObject) -> Deleted:
        """Delete the object that a call names."""
        options = delete_options(call, body)
        check_namespace_may_go(call)
        for _ in range(ATTEMPTS):
            stored = self._store.find(
                call.kind.storage_key, namespace=call.namespace, name=call.target
            )
            if stored is None:
                raise not_found(call.kind.resource, call.target)
            try:
                return await self._delete(call, options, stored)
            except ChangedMeanwhile:
                continue
        raise modified(call.kind.resource, call.target)

    async def delete_collection(self, call: Call, body: KubeObject) -> KubeObject:
        """Delete all that a call selects; return the List of it, as it was before."""
        options = delete_options(call, body)
        found = await list_objects(self._store, call)
        for obj in found["items"]:
            metadata = obj["metadata"]
            one = replace(call, namespace=metadata.get("namespace"), name=metadata["name"])
            try:
                await self.delete(one, options)
            except ApiFailure as failure:
                if failure.code != 404:  # somebody else was faster
                    raise
        return found

    async def _delete(self, call: Call, options: KubeObject, stored: KubeObject) -> Deleted:
        metadata = stored["metadata"]
        _check_preconditions(call, options, metadata)
        served = (await as_served(call.kind, [stored]))[0]
        await self._admission(call, None, served)
        begin = call.kind.traits.begin_deletion
        if begin is not None and "deletionTimestamp" not in metadata:
            marked = begin(stored, format_time(call.now))
            if not _is_dry(call, options):
                marked = self._store.replace(
                    call.kind.storage_key, marked, expected_revision=metadata["resourceVersion"]
                )
            return await self._answer(call, marked)
        habits = habits_of(call.kind)
        grace = _grace(stored, options) if habits.has_grace else None
        if grace is None and habits.has_grace and metadata.get("deletionGracePeriodSeconds"):
            return await self._answer(call, stored)
        finalizers = _finalizers(metadata, options, habits)
        waits = bool(finalizers or grace or _holds_content(call, stored))
        if waits or grace is not None:
            marked = _marked(call, stored, finalizers=finalizers, grace=grace)
            if marked != stored and not _is_dry(call, options):
                stored = self._store.replace(
                    call.kind.storage_key,
                    marked,
                    expected_revision=metadata["resourceVersion"],
                )
            else:
                stored = marked
        if waits:
            return await self._answer(call, stored)
        if not _is_dry(call, options):
            stored = self._store.delete(
                call.kind.storage_key,
                namespace=call.namespace,
                name=call.target,
                expected_revision=stored["metadata"]["resourceVersion"],
            )
        if habits.answers_with_object:
            return await self._answer(call, stored)
        return Deleted(_success(call, metadata))

    async def _answer(self, call: Call, stored: KubeObject) -> Deleted:
        return Deleted((await as_served(call.kind, [stored]))[0])


def _is_dry(call: Call, options: KubeObject) -> bool:
    return call.dry_run or bool(options.get("dryRun"))


def _check_preconditions(call: Call, options: KubeObject, metadata: KubeObject) -> None:
    preconditions = options.get("preconditions") or {}
    uid, version = preconditions.get("uid"), preconditions.get("resourceVersion")
    if uid is not None and uid != metadata["uid"]:
        raise _precondition_failed(
            call,
            f"the UID in the precondition ({uid}) does not match the UID in record "
            f"({metadata['uid']}). The object might have been deleted and then recreated",
        )
    if version is not None and version != metadata["resourceVersion"]:
        raise _precondition_failed(
            call,
            f"the ResourceVersion in the precondition ({version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have "
            "been modified",
        )


def _precondition_failed(call: Call, why: str) -> ApiFailure:
    # Here Kubernetes names the kind where it names the plural elsewhere.
    resource = call.kind.resource
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {"name": call.target, "group": resource.group, "kind": resource.kind}
    return ApiFailure(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {kind} "{call.target}": {why}',
        details={key: value for key, value in details.items() if value},
    )


def _finalizers(metadata: KubeObject, options: KubeObject, habits: Habits) -> list[str]:
    """Return who has to be waited for, the garbage collector included."""
    present: list[str] = metadata.get("finalizers") or []
    if not habits.is_collected:
        return present
    wanted = _collector_finalizer(present, options, habits)
    others = [finalizer for finalizer in present if finalizer not in (ORPHAN, FOREGROUND)]
    found = others if wanted is None else [*others, wanted]
    return present if set(found) == set(present) else found


def _collector_finalizer(present: list[str], options: KubeObject, habits: Habits) -> str | None:
    orphans = options.get("orphanDependents")
    if orphans is not None:
        return ORPHAN if orphans else None
    match options.get("propagationPolicy"):
        case "Orphan":
            return ORPHAN
        case "Foreground":
            return FOREGROUND
        case "Background":
            return None
        case _:
            named = [finalizer for finalizer in present if finalizer in (ORPHAN, FOREGROUND)]
            return named[0] if named else ORPHAN if habits.orphans else None


def _grace(stored: KubeObject, options: KubeObject) -> int | None:
    """Return the seconds a Pod still has; None if it keeps those it was given before."""
    metadata = stored["metadata"]
    asked = options.get("gracePeriodSeconds")
    if asked is not None and asked < 0:
        asked = 1
    given = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" in metadata:
        if not given:
            return 0
        return asked if asked is not None and asked < given else None
    spec, phase = stored.get("spec") or {}, (stored.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in _ENDED_PHASES:
        # Nobody runs it, so nobody has to end it.
        return 0
    return int(
        spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE) if asked is None else asked
    )


def _holds_content(call: Call, stored: KubeObject) -> bool:
    is_namespace = call.kind.storage_key == NAMESPACES_KEY
    return is_namespace and bool((stored.get("spec") or {}).get("finalizers"))


def _marked(
    call: Call, stored: KubeObject, *, finalizers: list[str], grace: int | None
) -> KubeObject:
    """Return the object as one that is being deleted."""
    metadata = {**stored["metadata"]}
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    is_first = "deletionTimestamp" not in metadata
    if is_first and metadata.get("generation"):
        metadata["generation"] += 1
    if is_first or grace is not None:
        metadata["deletionTimestamp"] = format_time(_end(call.now, stored, grace or 0))
    if call.kind.storage_key == NAMESPACES_KEY:
        status = {**(stored.get("status") or {}), "phase": "Terminating"}
        return {**stored, "metadata": metadata, "status": status}
    metadata["deletionGracePeriodSeconds"] = grace or 0
    return {**stored, "metadata": metadata}


def _end(now: datetime, stored: KubeObject, grace: int) -> datetime:
    metadata = stored["metadata"]
    if "deletionTimestamp" not in metadata:
        return now + timedelta(seconds=grace)
    given = metadata.get("deletionGracePeriodSeconds") or 0
    asked_at = parse_time(metadata["deletionTimestamp"]) - timedelta(seconds=given)
    return max(now, asked_at + timedelta(seconds=grace))


def _success(call: Call, metadata: KubeObject) -> KubeObject:
    resource = call.kind.resource
    details = {"name": metadata["name"], "group": resource.group, "kind": resource.plural}
    details = {key: value for key, value in details.items() if value}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**details, "uid": metadata["uid"]},
    }
