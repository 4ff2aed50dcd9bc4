"""What a person may choose about the demonstration."""

from pydantic import AliasChoices, Field

from towline_kube.settings import ProgramSettings
from towline_sandbox.output_kind import OutputKind
from towline_sandbox.plane_kinds import PlaneKind


class DemoSettings(ProgramSettings):
    """Settings of `towline demo`."""

    plane: PlaneKind = PlaneKind.EMBEDDED
    """What the two control planes are: `embedded` needs nothing but Python and is up at once,
    `kube` is the real kube-apiserver."""
    keep: bool = False
    """Leave everything running until interrupted, and print kubeconfigs for kubectl."""
    output: OutputKind = Field(
        default=OutputKind.TEXT, validation_alias=AliasChoices("o", "output")
    )
    """`text` for people, `json` for programs: a list of steps."""
