"""`towline manifests agent`: prints what running the agent on its cluster takes, or its base."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import field_validator

from towline_agent.deploying.manifests import AgentInstallation, agent_manifests
from towline_api import names
from towline_api.dns_names import is_dns_label
from towline_kube.deploying.manifest_command import put_out, read_settings_file, released_image
from towline_kube.settings import ProgramSettings, load


class AgentManifestSettings(ProgramSettings):
    """Settings of `towline manifests agent`."""

    namespace: str = names.AGENT_NAMESPACE
    """Namespace the agent runs in."""
    image: str | None = None
    """Container image, best with its digest; by default `towline` with this version as its tag."""
    cluster_name: str | None = None
    """Name of the managed cluster; without it, and without one in the settings file, the agent
    chooses a random UUID."""
    settings: Path | None = None
    """Settings file of the agent, which the manifests will hold; some settings need further
    roles."""
    folder: Path | None = None
    """Write the files of a kustomize base into this folder instead of printing everything."""

    @field_validator("namespace")
    @classmethod
    def _is_a_namespace(cls, namespace: str) -> str:
        if not is_dns_label(namespace):
            raise ValueError("is no name of a namespace: a-z, 0-9 and dashes, at most 63")
        return namespace


def agent(arguments: Sequence[str]) -> int:
    """Print an agent's manifests for `kubectl apply -f -`, or write them; return the status."""
    settings = load(AgentManifestSettings, arguments, prog="towline manifests agent")
    told = read_settings_file(settings.settings)
    if settings.cluster_name is not None:
        told = {**told, "cluster-name": settings.cluster_name}
    installation = AgentInstallation(
        namespace=settings.namespace, image=settings.image or released_image(), settings=told
    )
    put_out(agent_manifests(installation), folder=settings.folder)
    return 0
