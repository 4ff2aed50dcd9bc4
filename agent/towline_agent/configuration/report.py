"""What the hub is told about an add-on's configuration. Pure.

A reference counts as applied when the object was read, had exactly the hash the hub desires, and
everything made from it is on the managed cluster. `Progressing` sums it up.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from towline_api.addon_codec import AddonCodec
from towline_api.addons import ConfigReference, ManagedClusterAddon
from towline_api.condition_types import (
    COMPLETED_MESSAGE,
    PROGRESSING,
    REASON_COMPLETED,
    REASON_CONFIGURATION_UNSUPPORTED,
    REASON_FAILED,
    REASON_PROGRESSING,
    REASON_WAITING_FOR_MANIFEST_APPLIED,
)
from towline_api.conditions import find_condition, with_condition
from towline_api.resources import KubeObject

_OTHERS_REASONS = frozenset(
    {
        REASON_CONFIGURATION_UNSUPPORTED,
        REASON_WAITING_FOR_MANIFEST_APPLIED,
        "WaitingForHostingManifestApplied",
        "WaitingForCanary",
    }
)
"""Written by a hub that follows the roll-out of manifests itself, which has the last word on it."""
_MOST_TROUBLES = 5


@dataclass(frozen=True, slots=True)
class ConfigurationOutcome:
    """How an add-on's configuration stands on the managed cluster.

    Args:
        applied: References whose object was read in the desired state and is in force.
        troubles: What stands in the way, a sentence each: bad input, conflicts, refusals.
        awaited: What has not happened yet and needs nobody's help.
        is_serving: Whether the agent does its work for the add-on: nothing failed that it tried.
        namespace: The install namespace that this was concluded for.
    """

    applied: frozenset[ConfigReference] = frozenset()
    troubles: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    is_serving: bool = True
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the condition `Progressing` should say."""

    status: Literal["True", "False"]
    reason: str
    message: str


def progress(outcome: ConfigurationOutcome) -> Progress:
    """Return the summary of an outcome; trouble goes before waiting, since it needs a person."""
    if outcome.troubles:
        return Progress("False", REASON_FAILED, _joined(outcome.troubles))
    if outcome.awaited:
        return Progress("True", REASON_PROGRESSING, f"progressing... {_joined(outcome.awaited)}")
    return Progress("False", REASON_COMPLETED, COMPLETED_MESSAGE)


def applied_references(
    references: Sequence[ConfigReference], *, applied: Collection[ConfigReference]
) -> tuple[ConfigReference, ...]:
    """Return the references with what is applied recorded; the others keep what they had.

    Args:
        references: As they stand on the hub now.
        applied: Those in force on the managed cluster. One whose desired state has changed since
            is another reference, so it is not taken for applied.
    """
    in_force = {(item.kind, item.desired) for item in applied}
    return tuple(
        replace(item, last_applied=item.desired) if (item.kind, item.desired) in in_force else item
        for item in references
    )


def with_outcome(
    status: Mapping[str, Any],
    outcome: ConfigurationOutcome,
    *,
    obj: KubeObject,
    addon: ManagedClusterAddon,
    codec: AddonCodec,
    now: datetime,
) -> dict[str, Any]:
    """Return an add-on's status with an outcome reported; equal to `status` if that says it all.

    Args:
        status: The status as it is, or as others of us have changed it already.
        outcome: What to report.
        obj: The add-on as it stands on the hub.
        addon: Its meaning.
        codec: How the API version in use writes it.
        now: The present, for a condition that changes.
    """
    new = dict(status)
    references = applied_references(addon.config_references, applied=outcome.applied)
    if references != addon.config_references:
        new = codec.encode_addon_status(new, config_references=references)
    current = find_condition(obj, PROGRESSING)
    if current is None or current.reason not in _OTHERS_REASONS:
        says = progress(outcome)
        new["conditions"] = with_condition(
            new.get("conditions") or [],
            type=PROGRESSING,
            status=says.status,
            reason=says.reason,
            message=says.message,
            now=now,
        )
    return new


def _joined(sentences: Sequence[str]) -> str:
    shown = "; ".join(sentences[:_MOST_TROUBLES])
    more = len(sentences) - _MOST_TROUBLES
    return f"{shown}; and {more} more" if more > 0 else shown
