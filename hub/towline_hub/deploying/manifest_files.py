"""The manifests of a hub as text: one stream for kubectl, or the files of a kustomize base."""

from towline_hub.deploying.deployment import SETTINGS_FILE, SETTINGS_NAME, app_labels
from towline_hub.deploying.manifests import (
    DEPLOYMENT_FILE,
    HubInstallation,
    hub_manifests,
    hub_settings_file,
)
from towline_kube.deploying.manifest_text import Manifests, SettingsFile

_SETTINGS_HEAD = (
    "# The hub's settings file. `towline hub run --help` explains every setting; an overlay that\n"
    "# replaces this file rolls the hub out anew.\n"
)


def manifests_of(installation: HubInstallation) -> Manifests:
    """Return everything that a hub takes in its cluster."""
    return Manifests(
        command="towline manifests hub",
        objects=hub_manifests(installation),
        settings=SettingsFile(
            config_map=SETTINGS_NAME,
            namespace=installation.namespace,
            labels=app_labels(),
            name=SETTINGS_FILE,
            head=_SETTINGS_HEAD,
            values=hub_settings_file(installation),
        ),
        workload=DEPLOYMENT_FILE,
    )
