"""The word for a pod is the one that a real plane gives it; the pods were tried on one."""

from typing import Any

import pytest

from towline_api.resources import KubeObject
from towline_sandbox.embedded.views.pod_state import PodState, pod_state

RUNNING: dict[str, Any] = {"running": {}}
SIDECAR = {"name": "side", "restartPolicy": "Always"}


def container(
    name: str, *, ready: bool = False, restarts: int = 0, **state: object
) -> dict[str, Any]:
    """Return the status of a container."""
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state}


def ended(code: int = 0, **more: object) -> dict[str, Any]:
    """Return the state of a container that has ended."""
    return {"terminated": {"exitCode": code, **more}}


def pod(
    *,
    init: tuple[KubeObject, ...] = (),
    init_statuses: tuple[KubeObject, ...] = (),
    statuses: tuple[KubeObject, ...] = (),
    deleted: bool = False,
    **status: object,
) -> KubeObject:
    """Return a pod with containers `a` and `b`."""
    return {
        "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": list(init)},
        "status": {
            "initContainerStatuses": list(init_statuses),
            "containerStatuses": list(statuses),
            **status,
        },
    }


@pytest.mark.parametrize(
    ("found", "state"),
    [
        pytest.param(pod(), PodState("", 0, 2, 0, None), id="nothing-known"),
        pytest.param(
            pod(
                phase="Running",
                statuses=(
                    container("a", waiting={"reason": "CrashLoopBackOff"}),
                    container("b", ready=True, **RUNNING),
                ),
            ),
            PodState("CrashLoopBackOff", 1, 2, 0, None),
            id="one-crashes",
        ),
        pytest.param(
            pod(
                phase="Failed",
                statuses=(container("a", **ended(3)), container("b", **ended(0, signal=9))),
            ),
            PodState("ExitCode:3", 0, 2, 0, None),
            id="exit-code",
        ),
        pytest.param(
            pod(phase="Failed", statuses=(container("a", **ended(0, signal=9)),)),
            PodState("Signal:9", 0, 2, 0, None),
            id="signal",
        ),
        pytest.param(
            pod(
                phase="Running",
                statuses=(
                    container("a", **ended(reason="Completed")),
                    container("b", ready=True, **RUNNING),
                ),
            ),
            PodState("NotReady", 1, 2, 0, None),
            id="one-completed",
        ),
        pytest.param(
            pod(
                phase="Running",
                conditions=[{"type": "Ready", "status": "True"}],
                statuses=(
                    container("a", **ended(reason="Completed")),
                    container("b", ready=True, **RUNNING),
                ),
            ),
            PodState("Running", 1, 2, 0, None),
            id="one-completed-but-ready",
        ),
        pytest.param(
            pod(
                phase="Pending",
                init=({"name": "i"}, SIDECAR),
                init_statuses=(container("i", restarts=1, **RUNNING), container("side")),
            ),
            PodState("Init:0/2", 0, 3, 1, None),
            id="initializing",
        ),
        pytest.param(
            pod(
                phase="Pending",
                init=({"name": "i"},),
                init_statuses=(container("i", **ended(1)),),
            ),
            PodState("Init:ExitCode:1", 0, 2, 0, None),
            id="initialization-failed",
        ),
        pytest.param(
            pod(
                phase="Running",
                init=({"name": "i"}, SIDECAR),
                init_statuses=(
                    container("i", restarts=5, **ended()),
                    {**container("side", ready=True, restarts=2, **RUNNING), "started": True},
                ),
                statuses=(container("a", ready=True, restarts=1, **RUNNING),),
            ),
            PodState("Running", 2, 3, 3, None),
            id="sidecar",
        ),
        pytest.param(
            pod(
                phase="Pending",
                conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}],
            ),
            PodState("SchedulingGated", 0, 2, 0, None),
            id="gated",
        ),
        pytest.param(
            pod(phase="Running", reason="Evicted"), PodState("Evicted", 0, 2, 0, None), id="reason"
        ),
        pytest.param(
            pod(phase="Running", deleted=True),
            PodState("Terminating", 0, 2, 0, None),
            id="deleted",
        ),
        pytest.param(
            pod(phase="Succeeded", deleted=True),
            PodState("Succeeded", 0, 2, 0, None),
            id="deleted-after-its-end",
        ),
    ],
)
def test_a_pod_is_told_in_one_word(found: KubeObject, state: PodState) -> None:
    """People act on that word."""
    assert pod_state(found) == state
