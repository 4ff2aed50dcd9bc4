"""What `kubectl get` shows of namespaces, nodes, configuration, events and access rules."""

from collections.abc import Callable
from datetime import timedelta

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Column
from towline_sandbox.embedded.views.cells import (
    AGE,
    NAME,
    NONE,
    cell,
    comma_separated,
    find,
    flag,
    length,
    number,
    text,
)
from towline_sandbox.embedded.views.durations import UNKNOWN, Since, human_duration, parse_moment

NAMESPACES = (NAME, text("Status", "status", "phase"), AGE)
SERVICE_ACCOUNTS = (NAME, AGE)
SECRETS = (NAME, text("Type", "type"), length("Data", "data"), AGE)
_CONFIG_DATA = ("data", "binaryData")
CONFIG_MAPS = (
    NAME,
    cell("Data", lambda each: sum(len(find(each, key, default=())) for key in _CONFIG_DATA)),
    AGE,
)
LEASES = (NAME, text("Holder", "spec", "holderIdentity"), AGE)
PRIORITY_CLASSES = (
    NAME,
    number("Value", "value"),
    flag("Global-Default", "globalDefault"),
    AGE,
    text("PreemptionPolicy", "preemptionPolicy"),
)


def _node_status(node: KubeObject) -> str:
    word = "Unknown"
    for condition in find(node, "status", "conditions", default=()):
        if condition.get("type") == "Ready":
            word = "Ready" if condition.get("status") == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if find(node, "spec", "unschedulable") else word


def _node_roles(node: KubeObject) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = find(node, "metadata", "labels", default={})
    roles = {name.removeprefix(prefix) for name in labels if name.startswith(prefix)}
    roles.add(labels.get("kubernetes.io/role", ""))
    return comma_separated(sorted(roles - {""}), missing=NONE)


def _node_address(type_: str) -> Callable[[KubeObject], object]:
    def value(node: KubeObject) -> str:
        for each in find(node, "status", "addresses", default=()):
            if each.get("type") == type_:
                return str(each.get("address", ""))
        return NONE

    return value


def _node_info(heading: str, field: str) -> Column:
    return text(heading, "status", "nodeInfo", field, missing=UNKNOWN, wide=True)


NODES = (
    NAME,
    cell("Status", _node_status),
    cell("Roles", _node_roles),
    AGE,
    text("Version", "status", "nodeInfo", "kubeletVersion"),
    cell("Internal-IP", _node_address("InternalIP"), wide=True),
    cell("External-IP", _node_address("ExternalIP"), wide=True),
    _node_info("OS-Image", "osImage"),
    _node_info("Kernel-Version", "kernelVersion"),
    _node_info("Container-Runtime", "containerRuntimeVersion"),
)


# Events are stored in one form and served in two API groups, which name the same things apart; the
# table is the same in both.


def _either(event: KubeObject, field: str, other: str) -> object:
    return find(event, field) or find(event, other)


def _first_seen(event: KubeObject) -> Since:
    first = _either(event, "firstTimestamp", "deprecatedFirstTimestamp")
    return Since(parse_moment(first or find(event, "eventTime")))


def _last_seen(event: KubeObject) -> Since:
    if find(event, "series") is not None:
        return Since(parse_moment(find(event, "series", "lastObservedTime")))
    last = parse_moment(_either(event, "lastTimestamp", "deprecatedLastTimestamp"))
    return _first_seen(event) if last is None else Since(last)


def _event_count(event: KubeObject) -> object:
    if find(event, "series") is not None:
        return find(event, "series", "count", default=0)
    return _either(event, "count", "deprecatedCount") or 1


def _event_object(event: KubeObject) -> str:
    about = _either(event, "involvedObject", "regarding")
    kind, name = find(about, "kind", default="").lower(), find(about, "name")
    return f"{kind}/{name}" if name else kind


def _event_source(event: KubeObject) -> str:
    source = _either(event, "source", "deprecatedSource")
    reporter = find(source, "component") or _either(
        event, "reportingController", "reportingComponent"
    )
    instance = find(source, "host") or find(event, "reportingInstance")
    return f"{reporter or ''}, {instance}" if instance else str(reporter or "")


EVENTS = (
    cell("Last Seen", _last_seen),
    text("Type", "type"),
    text("Reason", "reason"),
    cell("Object", _event_object),
    cell(
        "Subobject",
        lambda each: find(_either(each, "involvedObject", "regarding"), "fieldPath", default=""),
        wide=True,
    ),
    cell("Source", _event_source, wide=True),
    cell("Message", lambda each: str(_either(each, "message", "note") or "").strip()),
    cell("First Seen", _first_seen, wide=True),
    cell("Count", _event_count, wide=True),
    cell(NAME.name, NAME.value, format_="name", wide=True),
)


def _subjects(kind: str) -> Callable[[KubeObject], object]:
    def value(binding: KubeObject) -> str:
        return ", ".join(
            f"{each['namespace']}/{each['name']}" if each.get("namespace") else each["name"]
            for each in find(binding, "subjects", default=())
            if each.get("kind") == kind
        )

    return value


def _role(binding: KubeObject) -> str:
    role = find(binding, "roleRef", default={})
    return f"{role.get('kind', '')}/{role.get('name', '')}"


ROLE_BINDINGS = (
    NAME,
    cell("Role", _role),
    AGE,
    cell("Users", _subjects("User"), wide=True),
    cell("Groups", _subjects("Group"), wide=True),
    cell("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
)


def _requested_duration(request: KubeObject) -> str:
    seconds = find(request, "spec", "expirationSeconds")
    return NONE if seconds is None else human_duration(timedelta(seconds=seconds))


def _request_condition(request: KubeObject) -> str:
    found = {each["type"] for each in find(request, "status", "conditions", default=())}
    words = [next((word for word in ("Denied", "Approved") if word in found), "Pending")]
    if "Failed" in found:
        words.append("Failed")
    if find(request, "status", "certificate"):
        words.append("Issued")
    return comma_separated(words)


CERTIFICATE_SIGNING_REQUESTS = (
    NAME,
    AGE,
    text("SignerName", "spec", "signerName", missing=NONE),
    text("Requestor", "spec", "username"),
    cell("RequestedDuration", _requested_duration),
    cell("Condition", _request_condition),
)
