"""Events of both groups. They are checked in the form of the core group, as they are stored."""

from collections.abc import Iterator
from functools import partial

from towline_api.resources import EVENTS, KubeObject
from towline_sandbox.embedded.built_in.event_conversion import in_core_form
from towline_sandbox.embedded.built_in.name_rules import (
    dns_subdomain,
    path_segment,
    qualified_name,
)
from towline_sandbox.embedded.built_in.traits.composing import at, text_at
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import immutable, invalid_value, required

_TYPES = ("Normal", "Warning")
_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIXED = (
    "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime",
    "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip


def _check(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    event = in_core_form(new)
    is_core = not call.kind.resource.group
    if event.get("eventTime"):
        yield from _check_reported(
            event, "reportingComponent" if is_core else "reportingController"
        )
    else:
        yield from _check_namespace(event)
    if is_core:
        return
    if old is None:
        yield from _check_series(event)
        yield from _check_new(event)
    else:
        yield from _check_changes(event, in_core_form(old))


def _check_namespace(event: KubeObject) -> Iterator[Cause]:
    about = at(event, "involvedObject.namespace") or ""
    own = event["metadata"].get("namespace", "")
    if own != about and not (not about and own == "default"):
        yield _foreign(about)


def _check_reported(event: KubeObject, controller_field: str) -> Iterator[Cause]:
    about = at(event, "involvedObject.namespace") or ""
    if not about and event["metadata"].get("namespace") not in ("default", "kube-system"):
        yield _foreign(about)
    controller = event.get("reportingComponent", "")
    if not controller:
        yield required(controller_field)
    for problem in qualified_name(controller):
        yield invalid_value(controller_field, controller, problem)
    for field in ("reportingInstance", "action", "reason"):
        if not event.get(field):
            yield required(field)
        yield from _check_length(event, field, 128)
    yield from _check_length(event, "message", 1024)


def _check_length(event: KubeObject, field: str, most: int) -> Iterator[Cause]:
    if len(event.get(field, "").encode()) > most:
        yield invalid_value(field, "", f"can have at most {most} characters")


def _check_series(event: KubeObject) -> Iterator[Cause]:
    series = event.get("series")
    if series is not None:
        if series.get("count", 0) < 2:
            yield invalid_value("series.count", "", "should be at least 2")
        if not series.get("lastObservedTime"):
            yield required("series.lastObservedTime")


def _check_new(event: KubeObject) -> Iterator[Cause]:
    if not event.get("eventTime"):
        yield required("eventTime")
    if event.get("type", "") not in _TYPES:
        yield invalid_value("type", "", f"has invalid value: {event.get('type', '')}")
    for field in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if event.get(field):
            yield invalid_value(field, "", "needs to be unset")


def _check_changes(event: KubeObject, before: KubeObject) -> Iterator[Cause]:
    if event.get("series") != before.get("series"):
        yield from _check_series(event)
    about = event.get("involvedObject") or {}
    if about != (before.get("involvedObject") or {}):
        # Told as the fields are called inside the server.
        names = {"uid": "UID", "apiVersion": "APIVersion"}
        told = {names.get(k, k[0].upper() + k[1:]): about.get(k, "") for k in _ABOUT}
        yield immutable("involvedObject", told)
    for field in _FIXED:
        if (event.get(field) or "") != (before.get(field) or ""):
            name = "reportingController" if field == "reportingComponent" else field
            yield immutable(name, event.get(field))


def _foreign(namespace: str) -> Cause:
    told = "does not match event.namespace"
    return invalid_value("involvedObject.namespace", namespace, told)


def _source(event: KubeObject) -> str:
    core = in_core_form(event)
    return str(at(core, "source.component") or core.get("reportingComponent") or "")


def _core_text(path: str, event: KubeObject) -> str:
    found: str = text_at(path)(in_core_form(event))
    return found


_SELECTABLE = {
    **{
        f"involvedObject.{field}": partial(_core_text, f"involvedObject.{field}")
        for field in _ABOUT
    },
    "reason": text_at("reason"),
    "reportingComponent": partial(_core_text, "reportingComponent"),
    "source": _source,
    "type": text_at("type"),
}
_NEW_SELECTABLE = {
    **{f"regarding.{field}": partial(_core_text, f"involvedObject.{field}") for field in _ABOUT},
    "reason": text_at("reason"),
    "reportingController": partial(_core_text, "reportingComponent"),
    "type": text_at("type"),
}

TRAITS = {
    StorageKey("", EVENTS.plural): Traits(
        check=_check, check_name=path_segment, selectable=_SELECTABLE, may_create_by_update=True
    ),
    StorageKey(EVENTS.group, EVENTS.plural): Traits(
        check=_check,
        check_name=dns_subdomain,
        selectable=_NEW_SELECTABLE,
        may_create_by_update=True,
    ),
}
