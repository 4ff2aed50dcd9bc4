"""The two forms of an Event: that of the core group, in which it is stored, and `events.k8s.io`.

They hold the same facts under different names.
"""

from collections.abc import Sequence

from towline_api.resources import EVENTS, KubeObject

_NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_NAMES = {new: core for core, new in _NEW_NAMES.items()}

# What the core form has even if nobody said anything, because its fields have no "nothing".
_CORE_EMPTY = {"reportingComponent": "", "reportingInstance": ""}


async def convert(objects: Sequence[KubeObject], api_version: str) -> list[KubeObject]:
    """Return the Events in the form that `api_version` names."""
    return [_converted(event, api_version) for event in objects]


def in_core_form(event: KubeObject) -> KubeObject:
    """Return an Event of either group as the core group says it."""
    return _converted(event, "v1")


def _converted(event: KubeObject, api_version: str) -> KubeObject:
    if event.get("apiVersion") == api_version:
        return event
    if api_version == EVENTS.api_version:
        names, kept = _NEW_NAMES, {field: value for field, value in event.items() if value != ""}
    else:
        names, kept = _CORE_NAMES, {**_CORE_EMPTY, **event}
    renamed = {names.get(field, field): value for field, value in kept.items()}
    return {**renamed, "apiVersion": api_version}
