"""Reading what callers send about built-in kinds, as strictly or as kindly as Kubernetes does.

Go types have no "null" and often no "empty": what says nothing is dropped, what cannot say nothing
is added, so that an object looks here as it does after a trip through a real server.
"""

from collections.abc import Sequence
from functools import cache

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.data_files import definitions
from towline_sandbox.embedded.built_in.reader_tree import reader_of
from towline_sandbox.embedded.built_in.readings import (
    MisfitError,
    Reading,
    UnreadableError,
    json_type,
)
from towline_sandbox.embedded.model.calls import FieldValidation
from towline_sandbox.embedded.model.failures import ApiFailure, bad_request
from towline_sandbox.embedded.model.kinds import GroupVersion, Kind

# Where Kubernetes keeps its list of known kinds, as it tells everybody who sends an unknown one.
_SCHEME = "pkg/runtime/scheme.go:111"


def decode(
    body: KubeObject,
    *,
    kind: Kind,
    field_validation: FieldValidation,
    warnings: list[str],
    duplicates: Sequence[str] = (),
) -> KubeObject:
    """Return a new object with what the kind knows of the body.

    Args:
        body: What the caller sent, or what a patch made of the stored object.
        kind: What it has to be.
        field_validation: Whether fields that the kind does not have are dropped silently, with a
            warning, or refused.
        warnings: Told about them.
        duplicates: Paths of fields that were sent twice; see `duplicates.duplicate_fields`.

    Raises:
        ApiFailure: The body is of another kind, has a value of the wrong type, or, if asked to be
            strict, has something the kind does not know.
    """
    return decode_as(
        body,
        group_version=kind.group_version,
        kind=kind.resource.kind,
        field_validation=field_validation,
        warnings=warnings,
        duplicates=duplicates,
    )


def decode_as(
    body: KubeObject,
    *,
    group_version: GroupVersion,
    kind: str,
    field_validation: FieldValidation,
    warnings: list[str],
    duplicates: Sequence[str] = (),
) -> KubeObject:
    """Do as `decode`, for what is no kind of its own: the `Scale` of a subresource, for example."""
    _check_type(body, group_version, kind)
    reading = Reading()
    try:
        found: KubeObject = reader_of(_definition(group_version, kind)).read(body, None, reading)
    except (MisfitError, UnreadableError) as problem:
        raise _cannot_handle(body, group_version, kind, str(problem)) from None
    told = [f'duplicate field "{path}"' for path in duplicates if path not in reading.unknown]
    told += [f'unknown field "{path}"' for path in reading.unknown]
    if told and field_validation is FieldValidation.STRICT:
        problem_text = f"strict decoding error: {', '.join(told)}"
        raise _cannot_handle(body, group_version, kind, problem_text)
    if field_validation is FieldValidation.WARN:
        warnings.extend(told)
    return {**found, "kind": kind, "apiVersion": str(group_version)}


def _check_type(body: KubeObject, group_version: GroupVersion, kind: str) -> None:
    for key in ("apiVersion", "kind"):
        if not isinstance(body.get(key, ""), str | None):
            raise bad_request(
                f"the object provided is unrecognized (must be of type {kind}): couldn't get "
                f"version/kind; json parse error: json: cannot unmarshal {json_type(body[key])} "
                f"into Go struct field .{key} of type string"
            )
    sent_version = body.get("apiVersion") or str(group_version)
    sent_kind = body.get("kind") or kind
    if (sent_version, sent_kind) == (str(group_version), kind):
        return
    is_known = (sent_version, sent_kind) in _definitions_by_type()
    same_group = sent_version.rpartition("/")[0] == group_version.group
    if sent_kind == kind and (is_known or (same_group and group_version.group)):
        raise bad_request(
            f"the API version in the data ({sent_version}) does not match the expected API "
            f"version ({group_version})"
        )
    if is_known:
        version = sent_version.rpartition("/")[2]
        package = (group_version.group or "core").partition(".")[0]
        problem = f"converting ({version}.{sent_kind}) to ({package}.{kind}): unknown conversion"
    else:
        problem = (
            f'no kind "{sent_kind}" is registered for version "{sent_version}" in scheme '
            f'"{_SCHEME}"'
        )
    raise _cannot_handle(body, group_version, kind, problem)


def _cannot_handle(
    body: KubeObject, group_version: GroupVersion, kind: str, problem: str
) -> ApiFailure:
    sent_kind = body.get("kind") or kind
    version = (body.get("apiVersion") or str(group_version)).rpartition("/")[2]
    return bad_request(
        f'{sent_kind} in version "{version}" cannot be handled as a {kind}: {problem}'
    )


@cache
def _definitions_by_type() -> dict[tuple[str, str], str]:
    return {
        (str(GroupVersion(known["group"], known["version"])), known["kind"]): name
        for name, node in definitions().items()
        for known in node.get("x-kubernetes-group-version-kind", ())
    }


def _definition(group_version: GroupVersion, kind: str) -> str:
    return _definitions_by_type()[str(group_version), kind]
