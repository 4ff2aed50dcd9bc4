"""`towline manifests hub`: prints what running the hub on its cluster takes, or writes its base."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from towline_api.errors import ConfigError
from towline_hub.manifest_files import kubectl_stream, kustomize_base
from towline_hub.manifest_settings import ManifestSettings
from towline_hub.manifests import IMAGE_NAME, HubInstallation
from towline_kube.settings import load


def hub(arguments: Sequence[str]) -> int:
    """Print a hub's manifests for `kubectl apply -f -`, or write them; return the exit status."""
    settings = load(ManifestSettings, arguments, prog="towline manifests hub")
    installation = HubInstallation(
        namespace=settings.namespace,
        image=settings.image or released_image(),
        replicas=settings.replicas,
    )
    if settings.folder is None:
        sys.stdout.write(kubectl_stream(installation))
        return 0
    _write(settings.folder, kustomize_base(installation))
    return 0


def released_image() -> str:
    """Return the image of the towline that is running."""
    return f"{IMAGE_NAME}:{version('towline')}"


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename or folder}: {error.strerror}") from None
