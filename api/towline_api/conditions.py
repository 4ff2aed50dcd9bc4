"""Conditions in an object's status: how to read them, and how to set one.

Everything here is pure: lists in, lists out. The one rule that is easy to get wrong lives in
`with_condition`: `lastTransitionTime` moves only when `status` does.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from towline_api.errors import WireError
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time, parse_time

# The API server holds every condition to these.
_REASON = re.compile(r"[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_LONGEST_REASON = 1024
_LONGEST_MESSAGE = 32768


class ConditionStatus(StrEnum):
    """What a condition says; Unknown means that nobody can tell at the moment."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as it was read.

    Args:
        type: What it is about, for example `Available`.
        status: What it says.
        reason: CamelCase word for programs; empty if the writer left it out.
        message: Sentence for people; may be empty.
        last_transition_time: When `status` last changed; None if the writer left it out, as in
            old certificate signing requests.
        observed_generation: The `metadata.generation` that was looked at, if the writer said so.
    """

    type: str
    status: ConditionStatus
    reason: str
    message: str
    last_transition_time: datetime | None
    observed_generation: int | None = None


def find_condition(obj: KubeObject, condition_type: str) -> Condition | None:
    """Return an object's condition of one type, or None if it has none.

    Raises:
        WireError: `status.conditions` is no list of conditions, or this condition has a status
            or a time that cannot be.
    """
    for index, item in enumerate(conditions_of(obj)):
        if item.get("type") == condition_type:
            return _decode(item, field=f"status.conditions[{index}]")
    return None


def is_true(obj: KubeObject, condition_type: str) -> bool:
    """Return whether an object has a condition of this type with status True.

    Raises:
        WireError: `status.conditions` is no list of conditions.
    """
    return any(
        item.get("type") == condition_type and item.get("status") == ConditionStatus.TRUE
        for item in conditions_of(obj)
    )


def conditions_of(obj: KubeObject) -> list[dict[str, Any]]:
    """Return an object's conditions as they stand in its JSON; an empty list if it has none.

    Raises:
        WireError: `status.conditions` is no list of objects.
    """
    status = obj.get("status")
    if status is None:
        return []
    if not isinstance(status, dict):
        raise _not("status", "an object", status)
    conditions = status.get("conditions")
    if conditions is None:
        return []
    if not isinstance(conditions, list):
        raise _not("status.conditions", "a list", conditions)
    for index, item in enumerate(conditions):
        if not isinstance(item, dict):
            raise _not(f"status.conditions[{index}]", "an object", item)
    return conditions


def with_condition(
    conditions: Sequence[Mapping[str, Any]],
    *,
    type: str,  # noqa: A002 - the field's own name
    status: ConditionStatus | Literal["True", "False", "Unknown"],
    reason: str,
    message: str,
    now: datetime,
    observed_generation: int | None = None,
) -> list[dict[str, Any]]:
    """Return the conditions with one of them set; the rest, and fields we do not know, stay.

    `lastTransitionTime` becomes `now` only if the status changes or the condition is new. If
    nothing changes the result equals the input, so that callers need not write.

    Args:
        conditions: The conditions as they are now; not changed.
        type: Which condition to set.
        status: What it says from now on.
        reason: CamelCase word for programs, as the API server demands it.
        message: Sentence for people, cut at 32,768 characters, the most an API server takes.
        now: The present, aware.
        observed_generation: The `metadata.generation` this was concluded from; None removes what
            an earlier writer claimed, since it would no longer be true.

    Raises:
        ValueError: The status or the reason is nothing an API server would take.
    """
    if not _REASON.fullmatch(reason) or len(reason) > _LONGEST_REASON:
        raise ValueError(f"reason {reason!r} of condition {type!r} must be a CamelCase word")
    status = ConditionStatus(status)
    old = next((item for item in conditions if item.get("type") == type), None)
    new: dict[str, Any] = dict(old) if old is not None else {"type": type}
    if new.get("status") != status or not new.get("lastTransitionTime"):
        new["lastTransitionTime"] = format_time(now)
    # Plain str: an enum member would reach YAML and repr as one.
    new.update(status=status.value, reason=reason, message=message[:_LONGEST_MESSAGE])
    if observed_generation is None:
        new.pop("observedGeneration", None)
    else:
        new["observedGeneration"] = observed_generation
    if old is None:
        return [*map(dict, conditions), new]
    # The API keys this list by type, so a second entry of it cannot be meant.
    return [
        new if item is old else dict(item)
        for item in conditions
        if item is old or item.get("type") != type
    ]


def _decode(item: Mapping[str, Any], *, field: str) -> Condition:
    status = item.get("status")
    if status not in list(ConditionStatus):
        raise _not(f"{field}.status", "True, False or Unknown", status)
    when = item.get("lastTransitionTime")
    if when is not None and not isinstance(when, str):
        raise _not(f"{field}.lastTransitionTime", "a time", when)
    generation = item.get("observedGeneration")
    return Condition(
        type=item["type"],
        status=ConditionStatus(status),
        reason=str(item.get("reason") or ""),
        message=str(item.get("message") or ""),
        last_transition_time=(
            parse_time(when, field=f"{field}.lastTransitionTime") if when else None
        ),
        observed_generation=generation if isinstance(generation, int) else None,
    )


def _not(field: str, expected: str, found: object) -> WireError:
    return WireError(f"{field} should be {expected}; found {str(found)[:64]!r}", field=field)
