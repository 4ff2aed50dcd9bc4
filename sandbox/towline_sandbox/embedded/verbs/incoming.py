"""Bodies of writes: of the right kind, read, with defaults, about the right object."""

from collections.abc import Sequence
from functools import partial

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import decoding as built_in
from towline_sandbox.embedded.custom import decoding as custom
from towline_sandbox.embedded.model.calls import Call, FieldValidation
from towline_sandbox.embedded.model.failures import ApiFailure, Cause, bad_request, invalid
from towline_sandbox.embedded.patches.owners import entries_of
from towline_sandbox.embedded.patches.restoring import restoring_words

_SHOWN = 30
_STRICT = "strict decoding error: "


def read_body(call: Call, body: KubeObject) -> KubeObject:
    """Return a fresh object from what a caller sent as a whole.

    Raises:
        ApiFailure: It is not an object of the call's kind.
    """
    if call.kind.custom:
        _check_custom_type(call, body)
    return _read(call, body)


def read_patched(
    call: Call,
    patched: KubeObject,
    *,
    slips: Sequence[str] = (),
    shown: str | None = None,
    applied: bool = False,
) -> KubeObject:
    """Return a fresh object from what a patch made of the stored one.

    Args:
        call: The call with the patch.
        patched: The object, patched.
        slips: What is odd about the patch itself.
        shown: What a refusal shows of a strategic merge patch; of others it shows the object.
        applied: Whether it was applied, and not patched in another way.

    Raises:
        ApiFailure: It is no object of the call's kind any more.
    """
    resource = call.kind.resource
    found = patched.get("apiVersion"), patched.get("kind")
    if found != (resource.api_version, resource.kind):
        _refuse_type(call, patched)
    heard = len(call.warnings)
    strict = slips if call.field_validation is FieldValidation.STRICT else ()
    try:
        read = _read(call, patched, keeps_nulls=applied)
    except ApiFailure as failure:
        prefix = "cannot be handled as a"
        if failure.code == 400 and prefix in failure.message:
            why = failure.message.partition(f"{prefix} {resource.kind}: ")[2]
            _, is_strict, unknown = why.partition(_STRICT)
            if is_strict:
                why = _STRICT + ", ".join((*strict, unknown))
            elif shown is not None:
                why = restoring_words(why)
            raise _bad_patch(call, patched, why, shown=shown) from None
        raise
    if strict:
        raise _bad_patch(call, patched, _STRICT + ", ".join(strict), shown=shown)
    if call.field_validation is FieldValidation.WARN:
        call.warnings[heard:heard] = slips
    return read


def check_place(call: Call, metadata: KubeObject) -> None:
    """Make an object's name and namespace those of the path.

    Raises:
        ApiFailure: The object says otherwise.
    """
    if call.name is not None:
        name = metadata.get("name")
        if not name:
            raise bad_request(
                f"the name of the object ({call.name} based on URL) was undeterminable: name must "
                "be provided"
            )
        if name != call.name:
            raise bad_request(
                f"the name of the object ({name}) does not match the name on the URL ({call.name})"
            )
    if call.namespace is None:
        metadata.pop("namespace", None)
    elif (metadata.get("namespace") or call.namespace) != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    else:
        metadata["namespace"] = call.namespace


def _read(call: Call, body: KubeObject, *, keeps_nulls: bool = False) -> KubeObject:
    kind = call.kind
    decode = partial(custom.decode, keeps_nulls=keeps_nulls) if kind.custom else built_in.decode
    read = decode(body, kind=kind, field_validation=call.field_validation, warnings=call.warnings)
    read["apiVersion"], read["kind"] = kind.resource.api_version, kind.resource.kind
    if not isinstance(read.get("metadata"), dict):
        read["metadata"] = {}
    if entries_of(body) == []:
        # No owners at all is said in so many words; left out, they stay as they are.
        read["metadata"]["managedFields"] = []
    for field, value in body.items():
        if value == [] and read.get(field, value) is None:
            # Stored as nothing, but it is the caller's who said so.
            read[field] = []
    kind.traits.complete(read)
    return read


def _check_custom_type(call: Call, body: KubeObject) -> None:
    # Built-in kinds are read by whoever knows all of them; here, the type has to be told.
    resource = call.kind.resource
    kind, version = body.get("kind") or "", body.get("apiVersion") or ""
    if not kind:
        text = orjson.dumps(body).decode()
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): "
            f"Object 'Kind' is missing in '{text}' ({shown})"
        )
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        raise _wrong_kind(call, body)


def _refuse_type(call: Call, patched: KubeObject) -> None:
    resource = call.kind.resource
    kind, version = patched.get("kind") or "", patched.get("apiVersion") or ""
    if call.kind.custom:
        if not kind:
            text = orjson.dumps(patched, option=orjson.OPT_SORT_KEYS).decode()
            raise _bad_patch(call, patched, f"Object 'Kind' is missing in '{text}'")
        if kind != resource.kind:
            raise _wrong_kind(call, patched)
        raise invalid(
            resource,
            call.target,
            [
                Cause(
                    "FieldValueInvalid",
                    f"Invalid value: {orjson.dumps(version).decode()}: must be "
                    f"{resource.api_version}",
                    "apiVersion",
                )
            ],
        )
    # Built-in kinds that are not named are taken for what they are patched as.
    patched["apiVersion"] = version or resource.api_version
    patched["kind"] = kind or resource.kind


def _wrong_kind(call: Call, body: KubeObject) -> ApiFailure:
    resource = call.kind.resource
    kind, name = body["kind"], (body.get("metadata") or {}).get("name", "")
    told = f'Invalid value: "{kind}": must be {resource.kind}'
    return ApiFailure(
        422,
        "Invalid",
        f'{kind}.{resource.group} "{name}" is invalid: kind: {told}',
        details={
            "name": name,
            "group": resource.group,
            "kind": kind,
            "causes": [Cause("FieldValueInvalid", told, "kind").as_object()],
        },
    )


def _bad_patch(
    call: Call, patched: KubeObject, why: str, *, shown: str | None = None
) -> ApiFailure:
    text = shown
    if text is None:
        # Go sorts maps, of which custom objects are made all through, and built-in ones outside.
        ordered = {key: patched[key] for key in sorted(patched)}
        option = orjson.OPT_SORT_KEYS if call.kind.custom else None
        text = orjson.dumps(ordered, option=option).decode()
    told = f"Invalid value: {orjson.dumps(text).decode()}: {why}"
    return ApiFailure(
        422,
        "Invalid",
        f' "" is invalid: patch: {told}',
        details={"causes": [Cause("FieldValueInvalid", told, "patch").as_object()]},
    )
