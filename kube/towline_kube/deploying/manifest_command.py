"""What the commands that print manifests have in common: the image, files read and written."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from towline_api.errors import ConfigError
from towline_kube.deploying.manifest_text import Manifests, kubectl_stream, kustomize_base
from towline_kube.yaml_text import parse_yaml

IMAGE_NAME = "towline"
"""What building `deploy/Containerfile` is told to call it; an overlay names the registry's."""


def released_image() -> str:
    """Return the image of the towline that is running."""
    return f"{IMAGE_NAME}:{version('towline')}"


def read_settings_file(path: Path | None) -> dict[str, Any]:
    """Return what a settings file says; nothing if there is none.

    Raises:
        ConfigError: It cannot be read, or is no mapping.
    """
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


def put_out(manifests: Manifests, *, folder: Path | None) -> None:
    """Print manifests for kubectl, or write them as a kustomize base.

    Args:
        manifests: What to put out.
        folder: Where to write the base; None prints one stream.

    Raises:
        ConfigError: The folder cannot be written.
    """
    if folder is None:
        sys.stdout.write(kubectl_stream(manifests))
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in kustomize_base(manifests).items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or folder}: {error.strerror}") from None
