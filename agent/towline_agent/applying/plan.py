"""What to apply and what to remove so that a cluster holds exactly what is wanted. Pure.

`plan` compares three things: what is wanted, what is there, and what we may call ours. It never
asks for a change to an object that is not ours; such an object in the way becomes a `Conflict`.
The same engine serves configuration, where marks on the objects say what is ours, and manifests
shipped as a whole, where a stored inventory does.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from towline_agent.applying.ownership import Claim
from towline_api.metadata import ObjectKey, is_being_deleted, key_of, resource_version_of, uid_of
from towline_api.resources import KubeObject, Resource


@dataclass(frozen=True, slots=True)
class Target:
    """One place on the managed cluster: a kind, a namespace and a name."""

    resource: Resource
    key: ObjectKey

    def __str__(self) -> str:
        """Return how messages name it, for example `configmaps addons/settings`."""
        return self.resource.describe(self.key.name, namespace=self.key.namespace)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object that should be there.

    Args:
        resource: Its kind.
        body: The object to apply, marks included.
        source: What on the hub it was made from.
    """

    resource: Resource
    body: KubeObject
    source: str

    @property
    def target(self) -> Target:
        """Where it belongs."""
        return Target(self.resource, key_of(self.body))


class Inventory(Protocol):
    """Says whose a live object is."""

    def claim(self, live: KubeObject, *, source: str | None = None) -> Claim:
        """Return whose `live` is, seen by somebody who wants it made from `source`."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Write an object.

    Args:
        manifest: What to write.
        over: The live object it replaces, exactly as judged; None to create it.
    """

    manifest: Manifest
    over: KubeObject | None


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete an object of ours that nobody wants any more, exactly as judged."""

    target: Target
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something in the way of an object we want; it is left alone.

    Args:
        target: The contested place.
        source: What on the hub should have gone there.
        reason: Whose the object is and what to do, for a person.
    """

    target: Target
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to do, in the order in which to do it: applies first, then prunes."""

    applies: tuple[Apply, ...] = ()
    prunes: tuple[Prune, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    unchanged: tuple[Target, ...] = ()
    waiting: tuple[Target, ...] = field(default=())
    """Wanted, but the object there is still being deleted."""

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is there and nothing else of ours is."""
        return not (self.applies or self.prunes or self.conflicts or self.waiting)


def plan(
    desired: Sequence[Manifest],
    live: Mapping[Target, KubeObject],
    inventory: Inventory,
    *,
    is_applied: Callable[[KubeObject, KubeObject], bool],
    keep: Collection[Target] = (),
) -> Plan:
    """Return what to do so that the cluster holds `desired` and nothing else of ours.

    Args:
        desired: What should be there. Of two that want the same place the first gets it.
        live: What is there: everything of ours, and whatever occupies a desired place.
        inventory: Says which of the live objects are ours.
        is_applied: Whether the first object is contained in the second.
        keep: Places that are not to be pruned although nothing is desired there at the moment,
            because what belongs there cannot be worked out just now.
    """
    applies: list[Apply] = []
    conflicts: list[Conflict] = []
    unchanged: list[Target] = []
    waiting: list[Target] = []
    wanted: dict[Target, Manifest] = {}
    for manifest in desired:
        target = manifest.target
        if (first := wanted.setdefault(target, manifest)) is not manifest:
            reason = f"{first.source} is already applied there; rename one of the two on the hub"
            conflicts.append(Conflict(target, manifest.source, reason))
            continue
        current = live.get(target)
        if current is None:
            applies.append(Apply(manifest, over=None))
        elif inventory.claim(current, source=manifest.source) is Claim.FOREIGN:
            reason = "somebody else's object is there; remove it, or rename the one on the hub"
            conflicts.append(Conflict(target, manifest.source, reason))
        elif is_being_deleted(current):
            waiting.append(target)
        elif _holds(manifest, current, inventory, is_applied):
            unchanged.append(target)
        else:
            applies.append(Apply(manifest, over=current))
    prunes = [
        Prune(target, uid_of(current), resource_version_of(current))
        for target, current in live.items()
        if target not in wanted
        and target not in keep
        and not is_being_deleted(current)
        and inventory.claim(current) is Claim.OURS
    ]
    return Plan(tuple(applies), tuple(prunes), tuple(conflicts), tuple(unchanged), tuple(waiting))


def _holds(
    manifest: Manifest,
    current: KubeObject,
    inventory: Inventory,
    is_applied: Callable[[KubeObject, KubeObject], bool],
) -> bool:
    """Return whether the live object needs no write to be what the manifest wants."""
    if inventory.claim(current, source=manifest.source) is Claim.OURS:
        return is_applied(manifest.body, current)
    # Another add-on keeps the same object: leave its name on it, or the two would take turns
    # writing their own. Everything but the labels has to match.
    body = {**manifest.body, "metadata": {**manifest.body["metadata"]}}
    body["metadata"].pop("labels", None)
    return is_applied(body, current)
