"""Keeps the served kinds in step with the CustomResourceDefinitions that are stored."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject
from towline_api.timestamps import format_time
from towline_sandbox.embedded.custom.conditions import condition_is, with_condition
from towline_sandbox.embedded.custom.conversion import WebhookCaller
from towline_sandbox.embedded.custom.departing import CLEAN_UP, CRD_KEY
from towline_sandbox.embedded.custom.names import accepted_names
from towline_sandbox.embedded.custom.served import kinds_of
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion, StorageKey
from towline_sandbox.embedded.patches.managed_fields import track_update
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.storage.subscription import Subscription

log = logging.getLogger(__name__)

_CRDS = GroupVersion(CUSTOM_RESOURCE_DEFINITIONS.group, CUSTOM_RESOURCE_DEFINITIONS.version)
_MANAGER = "kube-apiserver"
_LOOK_AGAIN = 0.05
"""Seconds between two looks at the objects of a kind that is about to go."""


class CustomKinds:
    """Serves what CustomResourceDefinitions define, and says so in their status.

    Nothing here waits: a definition's kinds are there when the write of the definition has been
    followed by one turn of the event loop.

    Args:
        catalog: Gets the kinds.
        store: Holds the definitions and the objects.
        caller: Calls conversion webhooks.
        now: The clock.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        *,
        caller: WebhookCaller,
        now: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._caller = caller
        self._now = now
        self._subscription = self._follow()
        self._terminating: dict[StorageKey, str] = {}
        self._served: dict[str, tuple[KubeObject, bool]] = {}
        for crd in store.objects(CRD_KEY):
            self._settle(crd["metadata"]["name"])

    async def run(self) -> NoReturn:
        """Follow the definitions until cancelled."""
        while True:
            # Objects of a kind that is about to go are looked for now and then; to be told of
            # every write there is, all the time, would cost more.
            pause = _LOOK_AGAIN if self._terminating else None
            for change in await self._subscription.changes(within=pause):
                self._settle(change.object["metadata"]["name"])
                if _frees_names(change):
                    self._settle_the_rest()
            for name in tuple(self._terminating.values()):
                self._settle(name)
            if not self._subscription.is_open:
                # Watches were cut, or too much came at once to be queued.
                self._subscription = self._follow()
                self._settle_the_rest()

    def _follow(self) -> Subscription:
        return self._store.watch(CRD_KEY, since=self._store.revision)

    def settle(self) -> None:
        """Bring everything in step now, without waiting for `run` to notice."""
        self._settle_the_rest()

    def _settle_the_rest(self) -> None:
        for crd in self._store.objects(CRD_KEY):
            self._settle(crd["metadata"]["name"])

    def _settle(self, name: str) -> None:
        crd = self._store.find(CRD_KEY, namespace=None, name=name)
        if crd is None:
            self._drop(name)
            return
        if "deletionTimestamp" in crd["metadata"]:
            self._terminate(crd)
        else:
            self._serve(self._with_names(crd))

    def _with_names(self, crd: KubeObject) -> KubeObject:
        names, clash = accepted_names(
            crd, others=self._store.objects(CRD_KEY), built_in=self._catalog
        )
        status = {"conditions": [], **(crd.get("status") or {}), "acceptedNames": names}
        status["conditions"] = status["conditions"] or []
        found = {**crd, "status": status}
        now = self._now()
        is_established = condition_is(crd, "Established", "True")
        if clash is not None:
            found = with_condition(
                found, "NamesAccepted", "False", reason=clash.reason, message=str(clash), now=now
            )
            if not is_established:
                found = with_condition(
                    found,
                    "Established",
                    "False",
                    reason="NotAccepted",
                    message="not all names are accepted",
                    now=now,
                )
        else:
            found = with_condition(
                found,
                "NamesAccepted",
                "True",
                reason="NoConflicts",
                message="no conflicts found",
                now=now,
            )
            if not is_established:
                found = with_condition(
                    found,
                    "Established",
                    "True",
                    reason="InitialNamesAccepted",
                    message="the initial names have been accepted",
                    now=now,
                )
        return self._written(crd, found)

    def _serve(self, crd: KubeObject, *, is_terminating: bool = False) -> None:
        name = crd["metadata"]["name"]
        if not condition_is(crd, "Established", "True"):
            self._drop(name)
            return
        accepted = {**crd["spec"], "names": crd["status"]["acceptedNames"]}
        wanted = (accepted, is_terminating)
        if self._served.get(name) == wanted:
            return
        kinds = kinds_of(
            {**crd, "spec": accepted}, caller=self._caller, is_terminating=is_terminating
        )
        self._catalog.put(_owner(name), kinds)
        if name not in self._served:
            for key in {kind.storage_key for kind in kinds}:
                self._store.begin(key)
        self._served[name] = wanted
        log.debug("custom kind served", extra={"object": name})

    def _terminate(self, crd: KubeObject) -> None:
        """Delete a definition's objects; let it go once there are none."""
        metadata = crd["metadata"]
        if CLEAN_UP not in metadata.get("finalizers", ()):
            return
        self._serve(crd, is_terminating=True)
        key = StorageKey(crd["spec"]["group"], crd["spec"]["names"]["plural"])
        self._terminating[key] = metadata["name"]
        if condition_is(crd, "Established", "True"):
            in_progress = with_condition(
                crd,
                "Terminating",
                "True",
                reason="InstanceDeletionInProgress",
                message="CustomResource deletion is in progress",
                now=self._now(),
            )
            crd = self._written(crd, in_progress)
            self._delete_objects(key)
        if self._store.objects(key):
            return
        del self._terminating[key]
        self._let_go(crd)

    def _let_go(self, crd: KubeObject) -> None:
        name = crd["metadata"]["name"]
        finalizers = [each for each in crd["metadata"]["finalizers"] if each != CLEAN_UP]
        was_served = condition_is(crd, "Established", "True")
        if finalizers:
            rest = with_condition(
                {**crd, "metadata": {**crd["metadata"], "finalizers": finalizers}},
                "Terminating",
                "False",
                reason="InstanceDeletionCompleted" if was_served else "NeverEstablished",
                message="removed all instances" if was_served else "resource was never established",
                now=self._now(),
            )
            self._written(crd, rest)
            return
        self._drop(name)
        self._store.delete(
            CRD_KEY,
            namespace=None,
            name=name,
            expected_revision=crd["metadata"]["resourceVersion"],
        )

    def _drop(self, name: str) -> None:
        """Serve a definition's kind no more."""
        served = self._served.pop(name, None)
        if served is not None:
            self._catalog.remove(_owner(name))
            spec, _ = served
            self._store.end_watches(StorageKey(spec["group"], spec["names"]["plural"]))

    def _delete_objects(self, key: StorageKey) -> None:
        for obj in self._store.objects(key):
            metadata = obj["metadata"]
            revision = metadata["resourceVersion"]
            if not metadata.get("finalizers"):
                self._store.delete(
                    key,
                    namespace=metadata.get("namespace"),
                    name=metadata["name"],
                    expected_revision=revision,
                )
            elif "deletionTimestamp" not in metadata:
                marked = {
                    **metadata,
                    "deletionGracePeriodSeconds": 0,
                    "deletionTimestamp": format_time(self._now()),
                    "generation": metadata.get("generation", 0) + 1,
                }
                self._store.replace(key, {**obj, "metadata": marked}, expected_revision=revision)

    def _written(self, old: KubeObject, new: KubeObject) -> KubeObject:
        if new == old:
            return old
        kind = self._catalog.find(_CRDS, CRD_KEY.plural)
        if kind is not None:
            new = track_update(
                old, new, kind=kind, manager=_MANAGER, subresource="status", now=self._now()
            )
        return self._store.replace(
            CRD_KEY, new, expected_revision=old["metadata"]["resourceVersion"]
        )


def _owner(name: str) -> str:
    return f"crd/{name}"


def _frees_names(change: Change) -> bool:
    """Return whether another definition may now get a name that it could not have before."""
    if change.type is ChangeType.DELETED:
        return True
    before = (change.previous or {}).get("status") or {}
    after = change.object.get("status") or {}
    names = before.get("acceptedNames")
    return bool(names) and names != after.get("acceptedNames")
