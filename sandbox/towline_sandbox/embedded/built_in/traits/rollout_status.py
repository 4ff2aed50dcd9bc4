"""What the status of a Deployment can say: no more Pods of a sort than there are Pods at all."""

from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.wording import invalid_value

_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
)
_PARTS = ("updatedReplicas", "readyReplicas", "availableReplicas")


def check_deployment_status(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    """Name what is wrong with a status that is written."""
    if call.subresource != "status":
        return
    status: dict[str, int] = new.get("status") or {}
    for field in _COUNTS:
        if status.get(field, 0) < 0:
            told = "must be greater than or equal to 0"
            yield invalid_value(f"status.{field}", status[field], told)
    for field in _PARTS:
        if status.get(field, 0) > status.get("replicas", 0):
            told = "cannot be greater than status.replicas"
            yield invalid_value(f"status.{field}", status[field], told)
    available, collisions = status.get("availableReplicas", 0), status.get("collisionCount", 0)
    if available > status.get("readyReplicas", 0):
        told = "cannot be greater than readyReplicas"
        yield invalid_value("status.availableReplicas", available, told)
    if collisions < ((old or {}).get("status") or {}).get("collisionCount", 0):
        yield invalid_value("status.collisionCount", collisions, "cannot be decremented")
