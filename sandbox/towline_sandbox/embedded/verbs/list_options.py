"""What lists and watches can be asked for, read from the query and checked."""

from dataclasses import dataclass

from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure, Cause, bad_request

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of one list or watch.

    Args:
        resource_version: As given; empty if not.
        match: How the resource version is meant.
        limit: The most items in one answer; 0 for no limit.
        token: Where an earlier answer ended.
        timeout_seconds: How long a watch may last; None for the server's own choice.
        bookmarks: Whether a watch is told how far it has come.
        initial_events: Whether a watch begins with what is there; None if not said.
    """

    resource_version: str = ""
    match: str = ""
    limit: int = 0
    token: str = ""
    timeout_seconds: int | None = None
    bookmarks: bool = False
    initial_events: bool | None = None


def list_options(call: Call) -> ListOptions:
    """Return a call's options.

    Raises:
        ApiFailure: They cannot be read, or do not go together.
    """
    query = call.query
    options = ListOptions(
        resource_version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        limit=_integer(query.get("limit", "")) or 0,
        token=query.get("continue", ""),
        timeout_seconds=_integer(query.get("timeoutSeconds", "")),
        bookmarks=_boolean(query.get("allowWatchBookmarks", "")) or False,
        initial_events=_boolean(query.get("sendInitialEvents", "")),
    )
    causes = _watch_causes(options) if call.verb == "watch" else _list_causes(options)
    if causes:
        raise _invalid_options(causes)
    return options


def revision_of(resource_version: str) -> int:
    """Return a resource version as a number; 0 if none was given.

    Raises:
        ApiFailure: It is no resource version.
    """
    if resource_version.isascii() and resource_version.isdigit():
        return int(resource_version)
    if not resource_version:
        return 0
    raise _invalid_options(
        [
            Cause(
                "FieldValueInvalid",
                f'Invalid value: "{resource_version}": strconv.ParseUint: parsing '
                f'"{resource_version}": invalid syntax',
                "resourceVersion",
            )
        ]
    )


def _integer(text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _boolean(text: str) -> bool | None:
    return None if not text else text not in _FALSE


def _list_causes(options: ListOptions) -> list[Cause]:
    causes = []
    if options.match:
        if not options.resource_version:
            causes.append(
                _forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                )
            )
        if options.token:
            causes.append(_forbidden_with_continue())
        if options.match not in (EXACT, NOT_OLDER_THAN):
            causes.append(_unsupported(options.match, f'"{EXACT}", "{NOT_OLDER_THAN}", ""'))
        if options.match == EXACT and options.resource_version == "0":
            causes.append(
                _forbidden(
                    "resourceVersionMatch",
                    'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
                )
            )
    if options.initial_events is not None:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions) -> list[Cause]:
    causes = []
    if options.initial_events is not None and options.match != NOT_OLDER_THAN:
        causes.append(
            _forbidden(
                "resourceVersionMatch",
                f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}",
            )
        )
    if options.match:
        if options.initial_events is None:
            causes.append(
                _forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
                    "provided",
                )
            )
        if options.match != NOT_OLDER_THAN:
            causes.append(_unsupported(options.match, f'"{NOT_OLDER_THAN}"'))
        if options.token:
            causes.append(_forbidden_with_continue())
    return causes


def _forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _forbidden_with_continue() -> Cause:
    return _forbidden(
        "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"
    )


def _unsupported(value: str, supported: str) -> Cause:
    return Cause(
        "FieldValueNotSupported",
        f'Unsupported value: "{value}": supported values: {supported}',
        "resourceVersionMatch",
    )


def _invalid_options(causes: list[Cause]) -> ApiFailure:
    sentences = [f"{cause.field}: {cause.message}" for cause in causes]
    told = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    return ApiFailure(
        422,
        "Invalid",
        f'ListOptions.meta.k8s.io "" is invalid: {told}',
        details={
            "group": "meta.k8s.io",
            "kind": "ListOptions",
            "causes": [cause.as_object() for cause in causes],
        },
    )
