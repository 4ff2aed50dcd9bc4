"""Conditions in the status of a CustomResourceDefinition."""

from datetime import datetime
from typing import Any

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time


def condition_is(obj: KubeObject, type_: str, status: str) -> bool:
    """Return whether an object has the condition in this state."""
    return any(
        condition["type"] == type_ and condition["status"] == status
        for condition in _conditions(obj)
    )


def with_condition(
    obj: KubeObject, type_: str, status: str, *, reason: str, message: str, now: datetime
) -> KubeObject:
    """Return the object with the condition; its time of transition moves only with its status."""
    before = next((found for found in _conditions(obj) if found["type"] == type_), None)
    changed = before is None or before["status"] != status
    condition = {
        "type": type_,
        "status": status,
        "lastTransitionTime": (
            format_time(now) if before is None or changed else before["lastTransitionTime"]
        ),
        "reason": reason,
        "message": message,
    }
    # In the order in which the conditions came first.
    conditions = [condition if found["type"] == type_ else found for found in _conditions(obj)]
    if before is None:
        conditions.append(condition)
    return {**obj, "status": {**(obj.get("status") or {}), "conditions": conditions}}


def _conditions(obj: KubeObject) -> list[dict[str, Any]]:
    return (obj.get("status") or {}).get("conditions") or []
