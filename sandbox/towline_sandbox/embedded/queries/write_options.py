"""What writes can be asked for in the query, checked."""

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause, bad_request
from towline_sandbox.embedded.queries.query_options import as_boolean, as_integer, invalid_options

_LONGEST_MANAGER = 128
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_GO_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}
_OPTION_TYPES: dict[str, tuple[type, str]] = {
    "dryRun": (list, "[]string"),
    "gracePeriodSeconds": (int, "int64"),
    "orphanDependents": (bool, "bool"),
    "preconditions": (dict, "v1.Preconditions"),
    "propagationPolicy": (str, "v1.DeletionPropagation"),
}
_POLICIES = ("Foreground", "Background", "Orphan")


def check_write_options(call: Call, *, is_apply: bool = False) -> None:
    """Refuse a create, update or patch whose options make no sense."""
    query = call.query
    causes = []
    if call.verb == "patch":
        if is_apply and not query.get("fieldManager"):
            causes.append(
                Cause(
                    "FieldValueRequired",
                    "Required value: is required for apply patch",
                    "fieldManager",
                )
            )
        elif not is_apply and "force" in query:
            causes.append(
                Cause(
                    "FieldValueForbidden",
                    "Forbidden: may not be specified for non-apply patch",
                    "force",
                )
            )
    causes += _manager_causes(query.get("fieldManager", ""))
    causes += _dry_run_causes([query["dryRun"]] if query.get("dryRun") else [])
    validation = query.get("fieldValidation", "")
    if validation not in _VALIDATIONS:
        causes.append(_unsupported(validation, _VALIDATIONS, "fieldValidation"))
    if causes:
        raise invalid_options(f"{call.verb.capitalize()}Options", causes)


def delete_options(call: Call, body: KubeObject) -> KubeObject:
    """Return the DeleteOptions of a call: its body if it has one, else its query.

    Raises:
        ApiFailure: They make no sense.
    """
    kind = body.get("kind") or "DeleteOptions"
    if kind != "DeleteOptions":
        raise bad_request(
            f'no kind "{kind}" is registered for version "{body.get("apiVersion", "")}" in scheme '
            '"pkg/runtime/scheme.go:111"'
        )
    for field, (wanted, name) in _OPTION_TYPES.items():
        value = body.get(field)
        if value is not None and type(value) is not wanted:
            raise bad_request(
                f"json: cannot unmarshal {_GO_NAMES.get(type(value), 'object')} into Go struct "
                f"field DeleteOptions.{field} of type {name}"
            )
    options = dict(body) if body else _from_query(call)
    causes = []
    policy = options.get("propagationPolicy")
    if policy is not None:
        if options.get("orphanDependents") is not None:
            causes.append(
                Cause(
                    "FieldValueInvalid",
                    f"Invalid value: {_json(policy)}: orphanDependents and deletionPropagation "
                    "cannot be both set",
                    "propagationPolicy",
                )
            )
        if policy not in _POLICIES:
            causes.append(_unsupported(policy, (*_POLICIES, "nil"), "propagationPolicy"))
    causes += _dry_run_causes(options.get("dryRun") or [])
    if causes:
        raise invalid_options("DeleteOptions", causes)
    return options


def _from_query(call: Call) -> KubeObject:
    query = call.query
    options = {
        "gracePeriodSeconds": as_integer(query.get("gracePeriodSeconds", "")),
        "propagationPolicy": query.get("propagationPolicy"),
        "orphanDependents": as_boolean(query.get("orphanDependents", "")),
        "dryRun": [query["dryRun"]] if query.get("dryRun") else None,
    }
    return {key: value for key, value in options.items() if value is not None}


def _manager_causes(manager: str) -> list[Cause]:
    causes = []
    if len(manager.encode()) > _LONGEST_MANAGER:
        causes.append(
            Cause(
                "FieldValueTooLong",
                f"Too long: may not be more than {_LONGEST_MANAGER} bytes",
                "fieldManager",
            )
        )
    causes += [
        Cause(
            "FieldValueInvalid",
            f"Invalid value: {_json(manager)}: invalid character U+{ord(character):04X} "
            f"(at position {len(manager[:at].encode())})",
            "fieldManager",
        )
        for at, character in enumerate(manager)
        if not character.isprintable()
    ]
    return causes


def _dry_run_causes(values: list[str]) -> list[Cause]:
    if all(value == "All" for value in values):
        return []
    return [
        Cause(
            "FieldValueNotSupported",
            f'Unsupported value: {_json(values)}: supported values: "All"',
            "dryRun",
        )
    ]


def _unsupported(value: str, supported: tuple[str, ...], field: str) -> Cause:
    told = ", ".join(_json(choice) for choice in supported)
    return Cause(
        "FieldValueNotSupported",
        f"Unsupported value: {_json(value)}: supported values: {told}",
        field,
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
