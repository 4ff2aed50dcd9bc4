"""Deleting objects, at once or as soon as everybody who asked to be waited for is done."""

from dataclasses import dataclass, replace

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import conflict, modified, not_found
from towline_sandbox.embedded.storage.store import ChangedMeanwhile, Store
from towline_sandbox.embedded.verbs.reading import list_objects
from towline_sandbox.embedded.verbs.versions import as_served
from towline_sandbox.embedded.verbs.writing import ATTEMPTS, Admission

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


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

    async def delete(self, call: Call, options: KubeObject) -> Deleted:
        """Delete the object that a call names."""
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

    async def delete_collection(self, call: Call, options: KubeObject) -> KubeObject:
        """Delete all that a call selects; return the List of it, as it was before."""
        found = await list_objects(self._store, call)
        for obj in found["items"]:
            metadata = obj["metadata"]
            one = replace(call, namespace=metadata.get("namespace"), name=metadata["name"])
            await self.delete(one, options)
        return found

    async def _delete(self, call: Call, options: KubeObject, stored: KubeObject) -> Deleted:
        metadata = stored["metadata"]
        _check_preconditions(call, options, metadata)
        old = (await as_served(call.kind, [stored]))[0]
        await self._admission(call, None, old)
        finalizers = _finalizers_for(options, metadata.get("finalizers") or [])
        key, revision = call.kind.storage_key, metadata["resourceVersion"]
        dry_run = call.dry_run or bool(options.get("dryRun"))
        if not finalizers:
            if not dry_run:
                self._store.delete(
                    key,
                    namespace=call.namespace,
                    name=metadata["name"],
                    expected_revision=revision,
                )
            return Deleted(_success(call, metadata))
        marked = {**metadata, "finalizers": finalizers, "deletionGracePeriodSeconds": 0}
        if "deletionTimestamp" not in metadata:
            marked["deletionTimestamp"] = format_time(call.now)
            if "generation" in metadata:
                marked["generation"] = metadata["generation"] + 1
        waiting = {**stored, "metadata": marked}
        if waiting != stored and not dry_run:
            waiting = self._store.replace(key, waiting, expected_revision=revision)
        return Deleted((await as_served(call.kind, [waiting]))[0])


def _check_preconditions(call: Call, options: KubeObject, metadata: KubeObject) -> None:
    preconditions = options.get("preconditions") or {}
    uid, version = preconditions.get("uid"), preconditions.get("resourceVersion")
    if uid is not None and uid != metadata["uid"]:
        raise conflict(
            call.kind.resource,
            metadata["name"],
            f"the UID in the precondition ({uid}) does not match the UID in record "
            f"({metadata['uid']}). The object might have been deleted and then recreated",
        )
    if version is not None and version != metadata["resourceVersion"]:
        raise conflict(
            call.kind.resource,
            metadata["name"],
            f"the ResourceVersion in the precondition ({version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have "
            "been modified",
        )


def _finalizers_for(options: KubeObject, finalizers: list[str]) -> list[str]:
    policy = options.get("propagationPolicy")
    orphans = options.get("orphanDependents")
    if orphans is not None:
        wanted = [ORPHAN] if orphans else []
    elif policy is not None:
        wanted = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])
    else:
        return finalizers
    kept = [finalizer for finalizer in finalizers if finalizer not in (ORPHAN, FOREGROUND)]
    return kept + wanted


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
