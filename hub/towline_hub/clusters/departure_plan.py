"""What the deletion of a cluster deletes next, and what it waits for.

Pure. Add-ons come before ManifestWorks, since an add-on's own works are part of its clean-up;
within a kind, objects go in ascending order of their cleanup priority, one level at a time. So it
is in OCM.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from towline_api import names
from towline_api.metadata import annotations_of, finalizers_of, is_being_deleted, name_of
from towline_api.resources import KubeObject, Resource

_PRIORITY = re.compile(r"[0-9]{1,3}", re.ASCII)
_HIGHEST_PRIORITY = 100
_OF_KUBERNETES = frozenset({"foregroundDeletion", "orphan"})
"""The garbage collector takes these away itself, whoever else is gone."""
_LISTED = 5

RECHECKS = ((timedelta(seconds=15), timedelta(seconds=1)), (None, timedelta(seconds=5)))
"""Until how long after the deletion to look again how often. An agent that is there needs seconds,
and somebody waits for it; one that is not will not come back in the next one."""


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of one kind in the namespace of a cluster that is being deleted.

    Args:
        resource: The kind.
        objects: What is left; at least one.
    """

    resource: Resource
    objects: Sequence[KubeObject]

    @property
    def next_to_delete(self) -> list[KubeObject]:
        """What to delete now: of the lowest priority there is, what nobody deleted yet."""
        lowest = min(map(cleanup_priority, self.objects))
        return [
            obj
            for obj in self.objects
            if cleanup_priority(obj) == lowest and not is_being_deleted(obj)
        ]

    def describe(self) -> str:
        """Say what is left and what holds it: kind, count, finalizers with their counts."""
        listed = sorted(map(name_of, self.objects))
        shown = ", ".join(listed[:_LISTED])
        if len(listed) > _LISTED:
            shown += f" and {len(listed) - _LISTED} more"
        held = sum(bool(finalizers_of(obj)) for obj in self.objects)
        said = f"{len(listed)} {self.resource.plural} remain ({shown}), {held} of them pending"
        finalizers = Counter(item for obj in self.objects for item in finalizers_of(obj))
        if not finalizers:
            return f"{said} finalizers"
        return f"{said} finalizers: " + ", ".join(
            f"{finalizer} ({count})" for finalizer, count in sorted(finalizers.items())
        )


def cleanup_priority(obj: KubeObject) -> int:
    """Return an object's place in the order of deletion, 0 to 100; 0 where none is readable."""
    text = annotations_of(obj).get(names.CLEANUP_PRIORITY_ANNOTATION, "")
    if not _PRIORITY.fullmatch(text) or int(text) > _HIGHEST_PRIORITY:
        return 0
    return int(text)


def after_force(finalizers: Sequence[str]) -> list[str]:
    """Return which finalizers an object keeps that is let go without its clean-up."""
    return [item for item in finalizers if item in _OF_KUBERNETES]


def without_deprecated(finalizers: Sequence[str]) -> list[str]:
    """Return an add-on's finalizers without those that nobody acts on any more."""
    return [item for item in finalizers if item not in names.DEPRECATED_ADDON_FINALIZERS]


def recheck_delay(since_deletion: timedelta) -> timedelta:
    """Return when to look again at what no watch tells of."""
    return next(delay for until, delay in RECHECKS if until is None or since_deletion < until)
