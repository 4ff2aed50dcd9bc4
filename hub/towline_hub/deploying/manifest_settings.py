"""The settings of `towline manifests hub`."""

from pathlib import Path

from pydantic import Field, field_validator

from towline_api import names
from towline_api.dns_names import is_dns_label
from towline_kube.settings import ProgramSettings


class ManifestSettings(ProgramSettings):
    """Settings of `towline manifests hub`."""

    namespace: str = names.HUB_NAMESPACE
    """Namespace the hub runs in."""
    image: str | None = None
    """Container image, best with its digest; by default `towline` with this version as its tag."""
    replicas: int = Field(default=2, ge=1, le=9)
    """How many replicas run; one works, the others stand by."""
    settings: Path | None = None
    """Settings file of the hub, which the manifests will hold; some settings need further roles."""
    crds: bool = True
    """Bring the CRDs along; `--no-crds` on a hub where another program installed them."""
    folder: Path | None = None
    """Write the files of a kustomize base into this folder instead of printing everything."""

    @field_validator("namespace")
    @classmethod
    def _is_a_namespace(cls, namespace: str) -> str:
        if not is_dns_label(namespace):
            raise ValueError("is no name of a namespace: a-z, 0-9 and dashes, at most 63")
        return namespace
