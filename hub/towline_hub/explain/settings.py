"""The settings of `towline explain`."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import CliPositionalArg

from towline_api import names
from towline_kube.output_kind import OutputKind
from towline_kube.settings import ProgramSettings


class ExplainSettings(ProgramSettings):
    """Settings of `towline explain`."""

    target: CliPositionalArg[str]
    """What to explain: a cluster, CLUSTER/ADDON, or with its kind cluster/NAME, addon/CLUSTER/NAME,
    csr/NAME."""
    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default as kubectl finds it."""
    namespace: str = names.HUB_NAMESPACE
    """Namespace the hub runs in, where its settings are looked for."""
    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""
