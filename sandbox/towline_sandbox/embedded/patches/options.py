"""What a patch call says beside its body: who patches, and whether by force."""

from collections.abc import Iterator, Mapping

from towline_api.resources import Resource
from towline_sandbox.embedded.model.failures import Cause, invalid
from towline_sandbox.embedded.patches.go_words import quoted
from towline_sandbox.embedded.patches.media_types import APPLY

_OPTIONS = Resource("meta.k8s.io", "v1", "", "PatchOptions", namespaced=False)
_LONGEST_NAME = 128  # bytes


def check_options(query: Mapping[str, str], *, media_type: str) -> None:
    """Check the query parameters `fieldManager` and `force` of a patch call.

    Raises:
        ApiFailure: An apply names no manager or a bad one, or a patch of another sort is forced.
    """
    causes: list[Cause] = []
    manager = query.get("fieldManager", "")
    if media_type == APPLY:
        if not manager:
            causes.append(
                Cause(
                    "FieldValueRequired",
                    "Required value: is required for apply patch",
                    "fieldManager",
                )
            )
    elif "force" in query:
        causes.append(
            Cause(
                "FieldValueForbidden",
                "Forbidden: may not be specified for non-apply patch",
                "force",
            )
        )
    causes.extend(broken_manager_rules(manager))
    if causes:
        raise invalid(_OPTIONS, "", causes)


def broken_manager_rules(manager: str) -> Iterator[Cause]:
    """Name every rule that the name of a field manager breaks, in any call."""
    if len(manager.encode()) > _LONGEST_NAME:
        yield Cause(
            "FieldValueTooLong",
            f"Too long: may not be more than {_LONGEST_NAME} bytes",
            "fieldManager",
        )
    at = 0
    for character in manager:
        if not character.isprintable():
            yield Cause(
                "FieldValueInvalid",
                f"Invalid value: {quoted(manager)}: invalid character U+{ord(character):04X} "
                f"(at position {at})",
                "fieldManager",
            )
        at += len(character.encode())


def is_forced(query: Mapping[str, str]) -> bool:
    """Whether an apply takes fields from others; whatever is not a clear no is a yes."""
    return query.get("force", "false").lower() not in ("0", "false")
