"""RolloutStrategy: in which order and how fast a change reaches the clusters of a placement."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from towline_api.models.schema import CountOrPercent, Int32, KubeModel, server_default


class RolloutLimits(KubeModel):
    """How long to wait for a cluster, and how many may fail."""

    min_success_time: str = server_default("0")
    """How long a success must last before the roll-out goes on, such as `90m`."""
    progress_deadline: Annotated[str, StringConstraints(pattern="^(([0-9])+[h|m|s])|None$")] = (
        server_default("None")
    )
    """After which time without success a cluster counts as failed; `None` waits for ever."""
    max_failures: CountOrPercent = server_default(0)
    """How many clusters, or which share of them, may fail before the roll-out stops."""


class MandatoryDecisionGroup(KubeModel):
    """A group of the placement's decisions, by name or, without one, by index."""

    group_name: str = ""
    """Name of the group."""
    group_index: Int32 = 0
    """Index of the group."""


class GroupedRollout(RolloutLimits):
    """A roll-out that begins with certain groups."""

    mandatory_decision_groups: list[MandatoryDecisionGroup] = Field(default_factory=list)
    """Groups that come first, and in which nothing may fail."""


class ProgressiveRollout(GroupedRollout):
    """A roll-out to a limited number of clusters at a time."""

    max_concurrency: CountOrPercent | None = None
    """How many clusters, or which share of them, change at a time; by default the size of the
    placement's decision groups."""


class RolloutStrategy(KubeModel):
    """In which order and how fast a change reaches clusters.

    Of the other members only the one that `type` names counts.
    """

    type: Literal["All", "Progressive", "ProgressivePerGroup"] = server_default("All")
    """All clusters at once, some at a time, or group by group."""
    all: RolloutLimits | None = None
    """How to go about all clusters at once."""
    progressive: ProgressiveRollout | None = None
    """How to go about some at a time."""
    progressive_per_group: GroupedRollout | None = None
    """How to go about group by group."""
