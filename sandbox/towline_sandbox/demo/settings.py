"""What a person may choose about the demonstration."""

from datetime import timedelta

from pydantic import AliasChoices, Field

from towline_api.duration_field import Duration
from towline_kube.settings import ProgramSettings
from towline_sandbox.output_kind import OutputKind
from towline_sandbox.plane_kinds import PlaneKind


class DemoSettings(ProgramSettings):
    """Settings of `towline demo`."""

    plane: PlaneKind = PlaneKind.EMBEDDED
    """What the two control planes are: `embedded` needs nothing but Python and is up at once,
    `kube` is the real kube-apiserver."""
    certificate_lifetime: Duration | None = Field(
        default=None, ge=timedelta(seconds=2), le=timedelta(seconds=30)
    )
    """How long the hub's certificates live, of which two rotations are shown: by default 5s on
    embedded planes and 15s on real ones. A machine that is busy may not renew in time."""
    keep: bool = False
    """Leave everything running until interrupted, and print kubeconfigs for kubectl."""
    output: OutputKind = Field(
        default=OutputKind.TEXT, validation_alias=AliasChoices("o", "output")
    )
    """`text` for people, `json` for programs: a list of steps."""
