"""The settings of the commands by which people decide about clusters and requests."""

from datetime import timedelta
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import CliPositionalArg

from towline_api.duration_field import Duration
from towline_kube.output_kind import OutputKind
from towline_kube.settings import ProgramSettings


class _DecisionSettings(ProgramSettings):
    """What every one of these commands can be told."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default as kubectl finds it."""
    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""


class AcceptSettings(_DecisionSettings):
    """Settings of `towline accept`."""

    cluster: CliPositionalArg[str]
    """Name of the managed cluster."""
    request: str | None = None
    """Name of the request to approve, if the cluster has several."""
    wait: bool = False
    """Wait until the cluster has joined."""
    timeout: Duration = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """How long to wait."""


class DenySettings(_DecisionSettings):
    """Settings of `towline deny`."""

    cluster: CliPositionalArg[str]
    """Name of the managed cluster."""
    reason: str | None = Field(default=None, min_length=1, max_length=500)
    """Why, for those who look at the cluster or its requests later."""


class RemoveSettings(_DecisionSettings):
    """Settings of `towline remove`."""

    cluster: CliPositionalArg[str]
    """Name of the managed cluster."""
    wait: bool = False
    """Wait until the cluster is gone, and say meanwhile what it waits for."""
    timeout: Duration = Field(default=timedelta(minutes=10), gt=timedelta(0))
    """How long to wait; more than the hub itself waits for an agent that does not answer."""


class ApproveSettings(_DecisionSettings):
    """Settings of `towline approve`."""

    request: CliPositionalArg[str]
    """Name of the certificate request."""
