"""The settings the installed hub runs with: read from the ConfigMap that its Deployment mounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from towline_api.resources import CONFIG_MAPS, KubeObject, Resource
from towline_hub.deploying.deployment import APP, SETTINGS_FILE
from towline_hub.looking import Unseen, look
from towline_hub.settings import HubSettings
from towline_kube.client import Client
from towline_kube.yaml_text import parse_yaml

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True)


@dataclass(frozen=True, slots=True)
class InstalledSettings:
    """What the hub was told, as far as it is to be seen.

    Args:
        settings: Its settings; the defaults where they are not to be seen or wrong.
        where: Where they stand, for messages.
        problem: Why a hub cannot start with them, in a sentence; None if it can.
        unseen: Why they are not to be seen; None if they are.
    """

    settings: HubSettings
    where: str
    problem: str | None = None
    unseen: Unseen | None = None


async def find_deployment(client: Client, *, namespace: str) -> KubeObject | Unseen | None:
    """Return the hub's Deployment."""
    return await look(client.find(DEPLOYMENTS, APP, namespace=namespace))


async def look_at_settings(
    client: Client, deployment: KubeObject | Unseen | None, *, namespace: str
) -> InstalledSettings:
    """Return the settings in the ConfigMap that the hub's Deployment mounts."""
    defaults, name = HubSettings(namespace=namespace), _config_map(deployment)
    if isinstance(deployment, Unseen):
        return InstalledSettings(defaults, "the hub's settings", unseen=deployment)
    if name is None:
        why = Unseen("no Deployment of the hub mounts a settings file; its defaults are assumed")
        return InstalledSettings(defaults, "the hub's settings", unseen=why)
    where = f"ConfigMap {namespace}/{name}"
    found = await look(client.find(CONFIG_MAPS, name, namespace=namespace))
    if isinstance(found, Unseen):
        return InstalledSettings(defaults, where, unseen=found)
    if found is None:
        return InstalledSettings(defaults, where, problem=f"there is no {where}")
    text = str((found.get("data") or {}).get(SETTINGS_FILE) or "")
    return read_settings(text, where=f"{SETTINGS_FILE} in {where}", namespace=namespace)


def read_settings(text: str, *, where: str, namespace: str) -> InstalledSettings:
    """Return the settings in a settings file, and why a hub cannot start with them, if so.

    Args:
        text: The file, as YAML.
        where: How to name it.
        namespace: Where the hub runs, unless its settings say otherwise.
    """
    defaults = HubSettings(namespace=namespace)
    try:
        values = parse_yaml(text.encode()) or {}
    except (yaml.YAMLError, ValueError, RecursionError):
        return InstalledSettings(defaults, where, problem=f"{where} is not valid YAML")
    if not isinstance(values, dict):
        problem = f"{where} is no mapping of settings to values"
        return InstalledSettings(defaults, where, problem=problem)
    return check_settings(values, where=where, namespace=namespace)


def check_settings(values: Mapping[str, Any], *, where: str, namespace: str) -> InstalledSettings:
    """Return the settings of a file that was read, and why a hub cannot start with them, if so.

    Args:
        values: What the file says.
        where: How to name it.
        namespace: Where the hub runs, unless its settings say otherwise.
    """
    given = {str(key).replace("-", "_"): value for key, value in values.items()}
    try:
        settings = HubSettings(**{"namespace": namespace, **given})
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part).replace("_", "-") for part in first["loc"])
        problem = f"{where}: {': '.join(filter(None, (at, first['msg'])))}"
        return InstalledSettings(HubSettings(namespace=namespace), where, problem=problem)
    return InstalledSettings(settings, where)


def _config_map(deployment: KubeObject | Unseen | None) -> str | None:
    """Return the name of the ConfigMap that a Deployment of the hub mounts, if it does."""
    if not isinstance(deployment, dict):
        return None
    pod = (((deployment.get("spec") or {}).get("template") or {}).get("spec")) or {}
    for volume in pod.get("volumes") or ():
        if volume.get("name") == "settings" and volume.get("configMap"):
            return str(volume["configMap"].get("name") or "") or None
    return None
