"""JSON patch (RFC 6902) as the API server takes it.

The operations are carried out by `jsonpath`. Kubernetes is more lenient than the RFC here and
there, so an operation is first put into the RFC's words: a `replace` of a key that is missing is an
`add`, indexes count from the end when they are negative, what is left out is `null`.
"""

from typing import Any

from jsonpath import JSONPatch, JSONPatchError
from jsonpath.exceptions import JSONPointerError

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure, bad_request
from towline_sandbox.embedded.patches.reading import cannot_read, parse_json, unprocessable
from towline_sandbox.embedded.patches.values import is_same, private

_MOST_OPERATIONS = 10_000
_OPERATION = "handlers.jsonPatchOp"
_TEXT_FIELDS = ("op", "path", "from")


class _DoesNotApplyError(Exception):
    """An operation asks for something the object does not have."""


def apply(current: KubeObject, patch: bytes) -> KubeObject:
    """Return the object after the operations of the patch.

    Raises:
        ApiFailure: The patch cannot be read, or one of its operations does not apply.
    """
    document: Any = private(current)
    try:
        for operation in _parse(patch):
            document = _carry_out(document, operation)
    except (_DoesNotApplyError, JSONPatchError, JSONPointerError):
        # Which operation failed, and why, Kubernetes keeps to itself.
        raise unprocessable() from None
    if not isinstance(document, dict):
        raise unprocessable()
    return document


def _parse(patch: bytes) -> list[dict[str, Any]]:
    operations = parse_json(patch)
    if operations is None:
        return []
    if not isinstance(operations, list):
        raise _unreadable(cannot_read(operations, wanted=f"[]{_OPERATION}"))
    for operation in operations:
        if not isinstance(operation, dict):
            raise _unreadable(cannot_read(operation, wanted=_OPERATION))
        for field in _TEXT_FIELDS:
            if not isinstance(operation.get(field, ""), str | None):
                words = cannot_read(operation[field], wanted="string")
                raise _unreadable(words.replace("Go value", f"Go struct field jsonPatchOp.{field}"))
    if len(operations) > _MOST_OPERATIONS:
        raise ApiFailure(
            413,
            "RequestEntityTooLarge",
            "Request entity too large: The allowed maximum operations in a JSON patch is "
            f"{_MOST_OPERATIONS}, got {len(operations)}",
        )
    return operations


def _unreadable(words: str) -> ApiFailure:
    return bad_request(f"error decoding patch: {words}")


def _carry_out(document: Any, operation: dict[str, Any]) -> Any:
    kind = operation.get("op")
    path = _path(operation, "path")
    value = operation.get("value")
    match kind:
        case "test":
            if not is_same(_found(document, path) if path else document, value):
                raise _DoesNotApplyError
            return document
        case "replace" if not path:
            return value
        case "copy":
            value = private(_found(document, _path(operation, "from")))
            plain = {"op": "add", "path": _pointer(document, path, growing=True), "value": value}
        case "move":
            source = _pointer(document, _path(operation, "from"))
            value = _found(document, _path(operation, "from"))
            document = _by_library(document, {"op": "remove", "path": source})
            plain = {"op": "add", "path": _pointer(document, path, growing=True), "value": value}
        case "add":
            plain = {"op": kind, "path": _pointer(document, path, growing=True), "value": value}
        case "replace":
            pointer, container = _pointer(document, path), _container(document, path)
            missing = isinstance(container, dict) and path[-1] not in container
            plain = {"op": "add" if missing else kind, "path": pointer, "value": value}
        case "remove":
            plain = {"op": kind, "path": _pointer(document, path)}
        case _:
            raise _DoesNotApplyError
    return _by_library(document, plain)


def _by_library(document: Any, operation: dict[str, Any]) -> Any:
    # Escapes such as \u0041 belong to JSON, which has been read; in a pointer they are text.
    return JSONPatch([operation], unicode_escape=False).apply(document)


def _path(operation: dict[str, Any], field: str) -> list[str]:
    """Return the steps of a pointer; what stands before the first slash counts for nothing."""
    pointer = operation.get(field)
    if pointer is None:
        raise _DoesNotApplyError
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _container(document: Any, path: list[str]) -> Any:
    """Return what holds the value at `path`: an object or a list."""
    if not path:
        raise _DoesNotApplyError
    for step in path[:-1]:
        document = _step_into(document, step)
    if not isinstance(document, dict | list):
        raise _DoesNotApplyError
    return document


def _step_into(container: Any, step: str) -> Any:
    if isinstance(container, dict):
        return container.get(step)
    if isinstance(container, list):
        return container[_index(step, limit=len(container))]
    raise _DoesNotApplyError


def _found(document: Any, path: list[str]) -> Any:
    """Return the value at `path`; None where an object does not have the last key."""
    return _step_into(_container(document, path), path[-1])


def _pointer(document: Any, path: list[str], *, growing: bool = False) -> str:
    """Return `path` as the RFC writes it, with indexes that count from the start."""
    container, last = _container(document, path), path[-1]
    steps = []
    at = document
    for step in path[:-1]:
        steps.append(str(_index(step, limit=len(at))) if isinstance(at, list) else step)
        at = _step_into(at, step)
    if isinstance(container, list) and not (growing and last == "-"):
        last = str(_index(last, limit=len(container) + growing))
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in (*steps, last))


def _index(step: str, *, limit: int) -> int:
    try:
        index = int(step)
    except ValueError:
        raise _DoesNotApplyError from None
    if not -limit <= index < limit:
        raise _DoesNotApplyError
    return index + limit if index < 0 else index
