"""What a namespace that is being deleted still holds, and how its status tells."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_sandbox.embedded.model.kinds import Catalog, Kind, StorageKey
from towline_sandbox.embedded.storage.store import Store


@dataclass(frozen=True, slots=True)
class Content:
    """Objects that are left in a namespace.

    Args:
        instances: How many there are, by kind.
        finalizers: How many of them each finalizer holds.
    """

    instances: Mapping[StorageKey, int]
    finalizers: Mapping[str, int]

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return bool(self.instances)


def namespaced_kinds(catalog: Catalog) -> Sequence[Kind]:
    """Return the kinds whose objects live in namespaces and can be deleted, each once.

    Pods come first, since they may use what else there is until they end.
    """
    found: dict[StorageKey, Kind] = {}
    for kind in catalog:
        if kind.resource.namespaced and "delete" in kind.verbs:
            found.setdefault(kind.storage_key, kind)
            if kind.resource.version == kind.storage_version and kind.stored_group is None:
                found[kind.storage_key] = kind
    return sorted(found.values(), key=lambda kind: (kind.storage_key != ("", "pods"),))


def remaining(store: Store, kinds: Iterable[Kind], *, namespace: str) -> Content:
    """Return what is left in a namespace."""
    instances: Counter[StorageKey] = Counter()
    finalizers: Counter[str] = Counter()
    for kind in kinds:
        for obj in store.objects(kind.storage_key, namespace=namespace):
            instances[kind.storage_key] += 1
            finalizers.update(obj["metadata"].get("finalizers", ()))
    return Content(instances, finalizers)


def conditions(content: Content, *, known: Sequence[KubeObject], now: datetime) -> list[KubeObject]:
    """Return the conditions that tell how far a namespace's deletion has come.

    Args:
        content: What is left.
        known: The conditions it has now, for those that do not change.
        now: When the others change.
    """
    found = [
        _condition(
            "NamespaceDeletionDiscoveryFailure",
            holds=False,
            reason="ResourcesDiscovered",
            message="All resources successfully discovered",
        ),
        _condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            holds=False,
            reason="ParsedGroupVersions",
            message="All legacy kube types successfully parsed",
        ),
        _condition(
            "NamespaceDeletionContentFailure",
            holds=False,
            reason="ContentDeleted",
            message="All content successfully deleted, may be waiting on finalization",
        ),
        _instances(content),
        _finalizers(content),
    ]
    before = {condition["type"]: condition for condition in known}
    for condition in found:
        last = before.pop(condition["type"], None)
        changed = last is None or last["status"] != condition["status"]
        moment = format_time(now) if changed or last is None else last["lastTransitionTime"]
        condition["lastTransitionTime"] = moment
    return [*before.values(), *found]


def _instances(content: Content) -> KubeObject:
    if not content.instances:
        return _condition(
            "NamespaceContentRemaining",
            holds=False,
            reason="ContentRemoved",
            message="All content successfully removed",
        )
    # Kubernetes writes the dot before the group even where there is no group.
    told = sorted(
        f"{key.plural}.{key.group} has {count} resource instances"
        for key, count in content.instances.items()
    )
    return _condition(
        "NamespaceContentRemaining",
        holds=True,
        reason="SomeResourcesRemain",
        message=f"Some resources are remaining: {', '.join(told)}",
    )


def _finalizers(content: Content) -> KubeObject:
    if not content.finalizers:
        return _condition(
            "NamespaceFinalizersRemaining",
            holds=False,
            reason="ContentHasNoFinalizers",
            message="All content-preserving finalizers finished",
        )
    told = sorted(
        f"{finalizer} in {count} resource instances"
        for finalizer, count in content.finalizers.items()
    )
    return _condition(
        "NamespaceFinalizersRemaining",
        holds=True,
        reason="SomeFinalizersRemain",
        message=f"Some content in the namespace has finalizers remaining: {', '.join(told)}",
    )


def _condition(type_: str, *, holds: bool, reason: str, message: str) -> KubeObject:
    return {
        "type": type_,
        "status": "True" if holds else "False",
        "lastTransitionTime": "",
        "reason": reason,
        "message": message,
    }
