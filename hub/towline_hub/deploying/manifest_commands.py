"""`towline manifests hub`: prints what running the hub on its cluster takes, or writes its base."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from towline_api.errors import ConfigError
from towline_hub.deploying.manifest_files import kubectl_stream, kustomize_base
from towline_hub.deploying.manifest_settings import ManifestSettings
from towline_hub.deploying.manifests import IMAGE_NAME, HubInstallation
from towline_kube.settings import load
from towline_kube.yaml_text import parse_yaml


def hub(arguments: Sequence[str]) -> int:
    """Print a hub's manifests for `kubectl apply -f -`, or write them; return the exit status."""
    settings = load(ManifestSettings, arguments, prog="towline manifests hub")
    installation = HubInstallation(
        namespace=settings.namespace,
        image=settings.image or released_image(),
        replicas=settings.replicas,
        settings=_settings_file(settings.settings),
        crds=settings.crds,
    )
    if settings.folder is None:
        sys.stdout.write(kubectl_stream(installation))
        return 0
    _write(settings.folder, kustomize_base(installation))
    return 0


def released_image() -> str:
    """Return the image of the towline that is running."""
    return f"{IMAGE_NAME}:{version('towline')}"


def _settings_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values = parse_yaml(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read settings file {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"settings file {path} is not valid YAML") from None
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"settings file {path} must be a mapping of settings to values")
    return values or {}


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or folder}: {error.strerror}") from None
