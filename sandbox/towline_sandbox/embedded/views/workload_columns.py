"""What `kubectl get` shows of pods and of what makes pods."""

from collections.abc import Iterable
from datetime import datetime

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Column
from towline_sandbox.embedded.views.cells import (
    AGE,
    NAME,
    NONE,
    UNSET,
    cell,
    containers,
    find,
    labels,
    length,
    number,
    selector,
    text,
)
from towline_sandbox.embedded.views.durations import Since, human_duration, parse_moment
from towline_sandbox.embedded.views.pod_state import pod_state

_TEMPLATE = ("spec", "template")


def _of(*path: str) -> Column:
    return cell("Selector", lambda each: selector(find(each, *path)), wide=True)


_SELECTOR = _of("spec", "selector")


def _ready(each: KubeObject) -> str:
    ready = find(each, "status", "readyReplicas", default=0)
    return f"{ready}/{find(each, 'spec', 'replicas', default=0)}"


def _pod_restarts(pod: KubeObject) -> object:
    state = pod_state(pod)
    if state.restarts and state.restarted_at is not None:
        return Since(state.restarted_at, f"{state.restarts} ({{}} ago)")
    return str(state.restarts)


def _pod_ready(pod: KubeObject) -> str:
    state = pod_state(pod)
    return f"{state.ready}/{state.containers}"


def _readiness_gates(pod: KubeObject) -> str:
    gates = find(pod, "spec", "readinessGates", default=())
    if not gates:
        return NONE
    open_ones = {
        condition.get("type")
        for condition in find(pod, "status", "conditions", default=())
        if condition.get("status") == "True"
    }
    return f"{sum(gate.get('conditionType') in open_ones for gate in gates)}/{len(gates)}"


PODS = (
    NAME,
    cell("Ready", _pod_ready),
    cell("Status", lambda pod: pod_state(pod).word),
    cell("Restarts", _pod_restarts),
    AGE,
    text("IP", "status", "podIPs", 0, "ip", missing=NONE, wide=True),
    text("Node", "spec", "nodeName", missing=NONE, wide=True),
    text("Nominated Node", "status", "nominatedNodeName", missing=NONE, wide=True),
    cell("Readiness Gates", _readiness_gates, wide=True),
)


REPLICA_SETS = (
    NAME,
    number("Desired", "spec", "replicas"),
    number("Current", "status", "replicas"),
    number("Ready", "status", "readyReplicas"),
    AGE,
    *containers(*_TEMPLATE),
    _SELECTOR,
)

DEPLOYMENTS = (
    NAME,
    cell("Ready", _ready),
    number("Up-to-date", "status", "updatedReplicas", type_="string"),
    number("Available", "status", "availableReplicas", type_="string"),
    AGE,
    *containers(*_TEMPLATE),
    cell("Selector", lambda each: selector(find(each, "spec", "selector"), missing=""), wide=True),
)

STATEFUL_SETS = (NAME, cell("Ready", _ready), AGE, *containers(*_TEMPLATE))

DAEMON_SETS = (
    NAME,
    number("Desired", "status", "desiredNumberScheduled"),
    number("Current", "status", "currentNumberScheduled"),
    number("Ready", "status", "numberReady"),
    number("Up-to-date", "status", "updatedNumberScheduled"),
    number("Available", "status", "numberAvailable"),
    cell("Node Selector", lambda each: labels(find(each, *_TEMPLATE, "spec", "nodeSelector"))),
    AGE,
    *containers(*_TEMPLATE),
    _SELECTOR,
)


_JOB_WORDS = (
    ("Complete", "Complete"),
    ("Failed", "Failed"),
    (None, "Terminating"),
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
)


def _true_conditions(each: KubeObject) -> set[str]:
    conditions: Iterable[KubeObject] = find(each, "status", "conditions", default=())
    return {found["type"] for found in conditions if found.get("status") == "True"}


def _job_status(job: KubeObject) -> str:
    holding = _true_conditions(job)
    for condition, word in _JOB_WORDS:
        if condition is None:
            if find(job, "metadata", "deletionTimestamp"):
                return word
        elif condition in holding:
            return word
    return "Running"


def _job_completions(job: KubeObject) -> str:
    done = find(job, "status", "succeeded", default=0)
    wanted = find(job, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    at_once = find(job, "spec", "parallelism", default=0)
    return f"{done}/1 of {at_once}" if at_once > 1 else f"{done}/1"


def _job_duration(job: KubeObject) -> object:
    started = _status_moment(job, "startTime")
    ended = _status_moment(job, "completionTime")
    if started is None:
        return ""
    return Since(started) if ended is None else human_duration(ended - started)


def _status_moment(job: KubeObject, field: str) -> datetime | None:
    return parse_moment(find(job, "status", field))


JOBS = (
    NAME,
    cell("Status", _job_status),
    cell("Completions", _job_completions),
    cell("Duration", _job_duration),
    AGE,
    *containers(*_TEMPLATE),
    _SELECTOR,
)


def _suspended(cron_job: KubeObject) -> str:
    match find(cron_job, "spec", "suspend"):
        case None:
            return UNSET
        case found:
            return "True" if found else "False"


def _last_schedule(cron_job: KubeObject) -> object:
    moment = _status_moment(cron_job, "lastScheduleTime")
    return NONE if moment is None else Since(moment)


CRON_JOBS = (
    NAME,
    text("Schedule", "spec", "schedule"),
    text("Timezone", "spec", "timeZone", missing=NONE),
    cell("Suspend", _suspended, type_="boolean"),
    length("Active", "status", "active", type_="integer"),
    cell("Last Schedule", _last_schedule),
    AGE,
    *containers("spec", "jobTemplate", *_TEMPLATE),
    _of("spec", "jobTemplate", "spec", "selector"),
)
