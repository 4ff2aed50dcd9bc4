"""What lists and watches can be asked for, read from the query and checked."""

from dataclasses import dataclass

from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure, Cause, bad_request
from towline_sandbox.embedded.queries.query_options import as_boolean, as_integer, invalid_options

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"


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
        limit=as_integer(query.get("limit", "")) or 0,
        token=query.get("continue", ""),
        timeout_seconds=as_integer(query.get("timeoutSeconds", "")),
        bookmarks=as_boolean(query.get("allowWatchBookmarks", "")) or False,
        initial_events=as_boolean(query.get("sendInitialEvents", "")),
    )
    causes = _watch_causes(options) if call.verb == "watch" else _list_causes(options)
    if causes:
        raise invalid_options("ListOptions", causes)
    return options


def revision_of(resource_version: str) -> int:
    """Return a resource version as a number; 0 if none was given.

    Raises:
        ApiFailure: It is no resource version; a list says that in other words.
    """
    if resource_version.isascii() and resource_version.isdigit():
        return int(resource_version)
    if not resource_version:
        return 0
    # An oversight of Kubernetes that clients can see: no reason, and the server takes the blame.
    raise ApiFailure(500, "", _no_version(resource_version))


def listed_revision_of(resource_version: str) -> int:
    """Do as `revision_of`, in the words of a list."""
    try:
        return revision_of(resource_version)
    except ApiFailure:
        told = _no_version(resource_version)
        raise bad_request(f"invalid resource version: {told}") from None


def _no_version(text: str) -> str:
    return (
        f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": '
        "invalid syntax"
    )


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
    # A watch that begins with what is there has this match whether it says so or not.
    if options.token and (options.match or options.resource_version in ("", "0")):
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
