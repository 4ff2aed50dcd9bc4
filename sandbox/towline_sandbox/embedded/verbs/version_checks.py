"""Whether an object is the one, and in the state, that its writer believes."""

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure, Cause, conflict, modified
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.verbs.habits import habits_of

_GROUPS_IN_PATHS = ("apiextensions.k8s.io", "apiregistration.k8s.io")


def version_number(metadata: KubeObject) -> int:
    """Return the resource version that an object names; 0 if it names none.

    Raises:
        ApiFailure: It names something else.
    """
    version = metadata.get("resourceVersion") or "0"
    if version.isascii() and version.isdigit():
        return int(version)
    raise ApiFailure(500, "", f'strconv.ParseUint: parsing "{version}": invalid syntax')


def check_same_object(call: Call, metadata: KubeObject, *, uid: str) -> None:
    """Refuse a replacement of an object that has been replaced already."""
    wanted = metadata.get("uid")
    if wanted and wanted != uid:
        raise conflict(
            call.kind.resource,
            call.target,
            "StorageError: invalid object, Code: 4, Key: "
            f"{_storage_path(call)}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}",
        )


def check_same_version(call: Call, metadata: KubeObject, *, version: str) -> None:
    """Refuse an update of an object that has changed since it was read.

    An update that names no version is one of whatever is there, if the kind allows that.
    """
    wanted = version_number(metadata)
    if not wanted:
        if habits_of(call.kind).needs_version:
            raise _version_missing(call)
    elif wanted != int(version):
        raise modified(call.kind.resource, call.target)
    metadata["resourceVersion"] = version


def _version_missing(call: Call) -> ApiFailure:
    # Kubernetes puts the plural where the kind belongs, here alone.
    resource = call.kind.resource
    told = "Invalid value: 0: must be specified for an update"
    field = "metadata.resourceVersion"
    details = {
        "name": call.target,
        "group": resource.group,
        "kind": resource.plural,
        "causes": [Cause("FieldValueInvalid", told, field).as_object()],
    }
    return ApiFailure(
        422,
        "Invalid",
        f'{resource.qualified} "{call.target}" is invalid: {field}: {told}',
        details={key: value for key, value in details.items() if value},
    )


def _storage_path(call: Call) -> str:
    parts = [_storage_prefix(call.kind), call.namespace, call.name]
    return "/".join(part for part in parts if part)


def _storage_prefix(kind: Kind) -> str:
    group, plural = kind.storage_key
    if kind.custom or group in _GROUPS_IN_PATHS:
        return f"/registry/{group}/{plural}"
    return f"/registry/{plural}"
