"""Conditions, as schemas hold them; `towline_api.conditions` is how to read and set them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from towline_api.models.schema import Int64, KubeModel, QualifiedName, Time, map_keys


class ConditionEntry(KubeModel):
    """One aspect of an object's state, as some controller last saw it."""

    type: QualifiedName
    """Which aspect, in CamelCase, optionally behind a domain and a slash."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
        ),
    ]
    """One word for programs: why the status is what it is."""
    message: Annotated[str, StringConstraints(max_length=32768)]
    """One sentence for people; may be empty."""
    last_transition_time: Time
    """When the status last changed."""
    observed_generation: Annotated[Int64, Field(ge=0)] | None = None
    """The `metadata.generation` this was concluded from."""


Conditions = Annotated[list[ConditionEntry], map_keys("type")]
"""At most one condition of each type."""
