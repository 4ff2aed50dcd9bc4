"""The settings the installed hub runs with: read from the ConfigMap that its Deployment mounts."""

from dataclasses import dataclass

import yaml
from pydantic import ValidationError

from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_hub.deployment import SETTINGS_FILE
from towline_hub.doctor.findings import Finding, fail, ok, unseen
from towline_hub.looking import Unseen, look
from towline_hub.settings import HubSettings
from towline_kube.client import Client
from towline_kube.yaml_text import parse_yaml


@dataclass(frozen=True, slots=True)
class InstalledSettings:
    """What the hub was told, as far as it is to be seen.

    Args:
        settings: Its settings; the defaults where they are not to be seen or wrong.
        finding: How they were found.
    """

    settings: HubSettings
    finding: Finding


async def look_at_settings(
    client: Client, deployment: KubeObject | Unseen | None, *, namespace: str
) -> InstalledSettings:
    """Return the settings in the ConfigMap that the hub's Deployment mounts."""
    check, name = "settings", _config_map(deployment)
    if name is None:
        why = Unseen("no Deployment of the hub mounts a settings file; its defaults are assumed")
        return InstalledSettings(_defaults(namespace), unseen(check, why))
    found = await look(client.find(CONFIG_MAPS, name, namespace=namespace))
    if isinstance(found, Unseen):
        return InstalledSettings(_defaults(namespace), unseen(check, found))
    where = f"ConfigMap {namespace}/{name}"
    if found is None:
        missing = fail(check, f"there is no {where}", fix="apply deploy/hub again")
        return InstalledSettings(_defaults(namespace), missing)
    return read_settings(found, where=where, namespace=namespace)


def read_settings(config_map: KubeObject, *, where: str, namespace: str) -> InstalledSettings:
    """Return the settings in a ConfigMap, and whether a hub can start with them.

    Args:
        config_map: The ConfigMap.
        where: How to name it.
        namespace: Where the hub runs, unless its settings say so.
    """
    check = "settings"
    text = str((config_map.get("data") or {}).get(SETTINGS_FILE) or "")
    fix = f"correct {SETTINGS_FILE} there; `towline hub run --help` explains every setting"
    try:
        values = parse_yaml(text.encode()) or {}
    except (yaml.YAMLError, ValueError, RecursionError):
        broken = fail(check, f"{SETTINGS_FILE} in {where} is not valid YAML", fix=fix)
        return InstalledSettings(_defaults(namespace), broken)
    if not isinstance(values, dict):
        broken = fail(check, f"{SETTINGS_FILE} in {where} is no mapping of settings", fix=fix)
        return InstalledSettings(_defaults(namespace), broken)
    given = {str(key).replace("-", "_"): value for key, value in values.items()}
    try:
        settings = HubSettings(**{"namespace": namespace, **given})
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part).replace("_", "-") for part in first["loc"])
        broken = fail(check, f"{SETTINGS_FILE} in {where}: {at}: {first['msg']}", fix=fix)
        return InstalledSettings(_defaults(namespace), broken)
    return InstalledSettings(settings, ok(check, f"{where} can be used"))


def _config_map(deployment: KubeObject | Unseen | None) -> str | None:
    """Return the name of the ConfigMap that a Deployment of the hub mounts, if it does."""
    if not isinstance(deployment, dict):
        return None
    pod = (((deployment.get("spec") or {}).get("template") or {}).get("spec")) or {}
    for volume in pod.get("volumes") or ():
        if volume.get("name") == "settings" and volume.get("configMap"):
            return str(volume["configMap"].get("name") or "") or None
    return None


def _defaults(namespace: str) -> HubSettings:
    return HubSettings(namespace=namespace)
