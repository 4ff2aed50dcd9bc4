"""The one word that `kubectl get pods` gives a pod, out of its phase and its containers' states."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.views.cells import find
from towline_sandbox.embedded.views.durations import parse_moment

_FINAL_PHASES = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodState:
    """What is told about a pod's containers.

    Args:
        word: Phase, reason or state of the container that matters most.
        ready: Containers that take traffic.
        containers: Containers that are meant to stay up.
        restarts: How often these were restarted.
        restarted_at: When the last of those restarts followed an end.
    """

    word: str
    ready: int
    containers: int
    restarts: int
    restarted_at: datetime | None


def pod_state(pod: KubeObject) -> PodState:
    """Return what `kubectl get pods` tells about a pod."""
    sidecars = {
        container.get("name")
        for container in find(pod, "spec", "initContainers", default=())
        if container.get("restartPolicy") == "Always"
    }
    statuses = find(pod, "status", "initContainerStatuses", default=())
    holding, seen, ready = _initializing(pod, statuses, sidecars)
    word = holding or _phase_word(pod)
    counted = statuses[:seen]
    if holding is None or _is_true(pod, "Initialized"):
        own = find(pod, "status", "containerStatuses", default=())
        ready += sum(_is_running(status) for status in own)
        word = _running_word(pod, own, word)
        counted = [each for each in counted if each.get("name") in sidecars] + list(own)
    return PodState(
        word=_deleted_word(pod, word),
        ready=ready,
        containers=len(find(pod, "spec", "containers", default=())) + len(sidecars),
        restarts=sum(find(status, "restartCount", default=0) for status in counted),
        restarted_at=max(filter(None, map(_last_end, counted)), default=None),
    )


def _phase_word(pod: KubeObject) -> str:
    for condition in _conditions(pod):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return str(find(pod, "status", "reason") or find(pod, "status", "phase", default=""))


def _initializing(
    pod: KubeObject, statuses: list[KubeObject], sidecars: set[Any]
) -> tuple[str | None, int, int]:
    """Return what initialization waits for, how many statuses count, and the ready sidecars."""
    ready = 0
    for index, status in enumerate(statuses):
        ended = find(status, "state", "terminated")
        waiting = find(status, "state", "waiting", "reason")
        if ended is not None and not ended.get("exitCode"):
            continue
        if status.get("name") in sidecars and status.get("started"):
            ready += bool(status.get("ready"))
            continue
        if ended is not None:
            return f"Init:{_ending(ended)}", index + 1, ready
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}", index + 1, ready
        total = len(find(pod, "spec", "initContainers", default=()))
        return f"Init:{index}/{total}", index + 1, ready
    return None, len(statuses), ready


def _running_word(pod: KubeObject, statuses: list[KubeObject], word: str) -> str:
    # The first container has the last say.
    for status in reversed(statuses):
        ended = find(status, "state", "terminated")
        word = find(status, "state", "waiting", "reason") or (
            _ending(ended) if ended is not None else word
        )
    if word == "Completed" and any(map(_is_running, statuses)):
        return "Running" if _is_true(pod, "Ready") else "NotReady"
    return word


def _deleted_word(pod: KubeObject, word: str) -> str:
    if not find(pod, "metadata", "deletionTimestamp"):
        return word
    if find(pod, "status", "reason") == "NodeLost":
        return "Unknown"
    return word if find(pod, "status", "phase") in _FINAL_PHASES else "Terminating"


def _ending(ended: KubeObject) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _is_running(status: KubeObject) -> bool:
    # A state that waits or has ended without a word is not told from running by Kubernetes either.
    if find(status, "state", "waiting", "reason") or find(status, "state", "terminated"):
        return False
    return bool(status.get("ready")) and find(status, "state", "running") is not None


def _last_end(status: KubeObject) -> datetime | None:
    return parse_moment(find(status, "lastState", "terminated", "finishedAt"))


def _conditions(pod: KubeObject) -> Iterable[KubeObject]:
    found: Iterable[KubeObject] = find(pod, "status", "conditions", default=())
    return found


def _is_true(pod: KubeObject, condition: str) -> bool:
    return any(
        each.get("type") == condition and each.get("status") == "True" for each in _conditions(pod)
    )
