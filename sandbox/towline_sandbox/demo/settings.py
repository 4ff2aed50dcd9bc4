"""What a person may choose about the demonstration."""

from enum import StrEnum

from pydantic import AliasChoices, Field

from towline_kube.settings import ProgramSettings


class PlaneKind(StrEnum):
    """What the two control planes are made of."""

    KUBE = "kube"


class OutputKind(StrEnum):
    """For whom the steps are shown."""

    TEXT = "text"
    JSON = "json"


class DemoSettings(ProgramSettings):
    """Settings of `towline demo`."""

    plane: PlaneKind = PlaneKind.KUBE
    """What the two control planes are: `kube` is the real kube-apiserver."""
    keep: bool = False
    """Leave everything running until interrupted, and print kubeconfigs for kubectl."""
    output: OutputKind = Field(
        default=OutputKind.TEXT, validation_alias=AliasChoices("o", "output")
    )
    """`text` for people, `json` for programs: a list of steps."""
