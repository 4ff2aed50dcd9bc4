"""`towline manifests hub`: prints what running the hub on its cluster takes, or writes its base."""

from collections.abc import Sequence

from towline_hub.deploying.manifest_files import manifests_of
from towline_hub.deploying.manifest_settings import ManifestSettings
from towline_hub.deploying.manifests import HubInstallation
from towline_kube.deploying.manifest_command import put_out, read_settings_file, released_image
from towline_kube.settings import load


def hub(arguments: Sequence[str]) -> int:
    """Print a hub's manifests for `kubectl apply -f -`, or write them; return the exit status."""
    settings = load(ManifestSettings, arguments, prog="towline manifests hub")
    installation = HubInstallation(
        namespace=settings.namespace,
        image=settings.image or released_image(),
        replicas=settings.replicas,
        settings=read_settings_file(settings.settings),
        crds=settings.crds,
    )
    put_out(manifests_of(installation), folder=settings.folder)
    return 0
