"""The manifests of a hub as text: one stream for kubectl, or the files of a kustomize base."""

from collections.abc import Iterable
from typing import Any

import yaml

from towline_api.resources import KubeObject
from towline_hub.deploying.deployment import SETTINGS_FILE, SETTINGS_NAME, app_labels
from towline_hub.deploying.manifests import (
    DEPLOYMENT_FILE,
    HubInstallation,
    hub_manifests,
    hub_settings_file,
    settings_config_map,
)

_GENERATED = "# Written by `towline manifests hub`; change the program, not this file.\n"
_SETTINGS_HEAD = (
    "# The hub's settings file. `towline hub run --help` explains every setting; an overlay that\n"
    "# replaces this file rolls the hub out anew.\n"
)
_LINE_LENGTH = 100


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and lists inside of what they belong to."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def kubectl_stream(installation: HubInstallation) -> str:
    """Return everything as one stream for `kubectl apply --server-side -f -`."""
    objects = []
    for name, found in hub_manifests(installation).items():
        if name == DEPLOYMENT_FILE:
            objects.append(settings_config_map(installation, text=settings_text(installation)))
        objects += found
    return _stream(objects)


def kustomize_base(installation: HubInstallation) -> dict[str, str]:
    """Return the files of a kustomize base, by name.

    The settings are a generated ConfigMap there, whose name changes with its content, so that a
    change of settings rolls the hub out anew.
    """
    files = {
        name: _GENERATED + _stream(objects) for name, objects in hub_manifests(installation).items()
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(files),
        "configMapGenerator": [
            {
                "name": SETTINGS_NAME,
                "namespace": installation.namespace,
                "files": [SETTINGS_FILE],
                "options": {"labels": app_labels()},
            }
        ],
    }
    return {
        **files,
        SETTINGS_FILE: _GENERATED + settings_text(installation),
        "kustomization.yaml": _GENERATED + _dump(kustomization),
    }


def settings_text(installation: HubInstallation) -> str:
    """Return the hub's settings file."""
    return _SETTINGS_HEAD + _dump(hub_settings_file(installation))


def _stream(objects: Iterable[KubeObject]) -> str:
    return "".join(f"---\n{_dump(obj)}" for obj in objects)


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_LINE_LENGTH, allow_unicode=True)
