"""What `kubectl get` shows of volumes, claims on them and where they come from."""

from collections.abc import Sequence

from towline_api.resources import KubeObject
from towline_sandbox.embedded.views.cells import (
    AGE,
    NAME,
    UNSET,
    cell,
    comma_separated,
    find,
    flag,
    text,
)

_ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _access_modes(modes: Sequence[str]) -> str:
    return comma_separated(short for mode, short in _ACCESS_MODES.items() if mode in modes)


def _phase(each: KubeObject) -> str:
    if find(each, "metadata", "deletionTimestamp"):
        return "Terminating"
    return str(find(each, "status", "phase", default=""))


def _storage_class(each: KubeObject) -> str:
    annotations = find(each, "metadata", "annotations", default={})
    found = annotations.get(_CLASS_ANNOTATION)
    return str(find(each, "spec", "storageClassName", default="") if found is None else found)


def _of_bound(claim: KubeObject, found: object) -> object:
    return found if find(claim, "spec", "volumeName") else ""


_ATTRIBUTES_CLASS = text(
    "VolumeAttributesClass", "spec", "volumeAttributesClassName", missing=UNSET
)
_VOLUME_MODE = text("VolumeMode", "spec", "volumeMode", missing=UNSET, wide=True)

PERSISTENT_VOLUME_CLAIMS = (
    NAME,
    cell("Status", _phase),
    text("Volume", "spec", "volumeName"),
    cell(
        "Capacity",
        lambda each: _of_bound(each, find(each, "status", "capacity", "storage", default="0")),
    ),
    cell(
        "Access Modes",
        lambda each: _of_bound(
            each, _access_modes(find(each, "status", "accessModes", default=()))
        ),
    ),
    cell("StorageClass", _storage_class),
    _ATTRIBUTES_CLASS,
    AGE,
    _VOLUME_MODE,
)


def _class_name(storage_class: KubeObject) -> str:
    annotations = find(storage_class, "metadata", "annotations", default={})
    is_default = any(annotations.get(each) == "true" for each in _DEFAULT_CLASS_ANNOTATIONS)
    return f"{find(storage_class, 'metadata', 'name')}{' (default)' if is_default else ''}"


STORAGE_CLASSES = (
    cell(NAME.name, _class_name, format_="name"),
    text("Provisioner", "provisioner"),
    text("ReclaimPolicy", "reclaimPolicy", missing="Delete"),
    text("VolumeBindingMode", "volumeBindingMode", missing="Immediate"),
    flag("AllowVolumeExpansion", "allowVolumeExpansion", type_="string"),
    AGE,
)
