"""Manifests as text: one stream for kubectl, or the files of a kustomize base."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from towline_api.resources import KubeObject

_LINE_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """The settings file of a program, which its Deployment mounts.

    Args:
        config_map: Name of the ConfigMap it is in.
        namespace: Namespace of that.
        labels: Labels of that.
        name: Name of the file.
        head: What to say above the settings: lines of comment.
        values: The settings.
    """

    config_map: str
    namespace: str
    labels: Mapping[str, str]
    name: str
    head: str
    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The file."""
        return self.head + _dump(dict(self.values))

    def as_config_map(self) -> KubeObject:
        """Return the ConfigMap."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.config_map,
                "namespace": self.namespace,
                "labels": dict(self.labels),
            },
            "data": {self.name: self.text},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """Everything that a program takes in its cluster.

    Args:
        command: What prints it, as in `towline manifests hub`.
        objects: All objects but the settings, by the file they belong in, in order of applying.
        settings: The settings file.
        workload: The file of what mounts the settings, which have to be there before.
    """

    command: str
    objects: Mapping[str, Sequence[KubeObject]]
    settings: SettingsFile
    workload: str


def kubectl_stream(manifests: Manifests) -> str:
    """Return everything as one stream for `kubectl apply --server-side -f -`."""
    objects: list[KubeObject] = []
    for name, found in manifests.objects.items():
        if name == manifests.workload:
            objects.append(manifests.settings.as_config_map())
        objects += found
    return _stream(objects)


def kustomize_base(manifests: Manifests) -> dict[str, str]:
    """Return the files of a kustomize base, by name.

    The settings are a generated ConfigMap there, whose name changes with its content, so that a
    change of settings rolls the program out anew.
    """
    generated = f"# Written by `{manifests.command}`; change the program, not this file.\n"
    settings = manifests.settings
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(manifests.objects),
        "configMapGenerator": [
            {
                "name": settings.config_map,
                "namespace": settings.namespace,
                "files": [settings.name],
                "options": {"labels": dict(settings.labels)},
            }
        ],
    }
    return {
        **{name: generated + _stream(found) for name, found in manifests.objects.items()},
        settings.name: generated + settings.text,
        "kustomization.yaml": generated + _dump(kustomization),
    }


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


def _stream(objects: Iterable[KubeObject]) -> str:
    return "".join(f"---\n{_dump(obj)}" for obj in objects)


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_LINE_LENGTH, allow_unicode=True)
