"""What is odd about a patch without making it unreadable: fields given twice, or unknown ones.

With `fieldValidation=Warn` callers are told, with `Strict` they are refused.
"""

from collections.abc import Iterator

import orjson
import yaml

from towline_sandbox.embedded.built_in.duplicates import duplicate_fields
from towline_sandbox.embedded.model.failures import ApiFailure, bad_request
from towline_sandbox.embedded.patches.media_types import APPLY, JSON_PATCH

_OPERATION_FIELDS = frozenset(("op", "path", "from", "value"))


def slips_in(patch: bytes, *, media_type: str) -> tuple[str, ...]:
    """Return what is odd about a patch that can be read, in Kubernetes' words."""
    if media_type == APPLY:
        return tuple(_repeated_keys(patch))
    duplicates = tuple(f'duplicate field "{path}"' for path in duplicate_fields(patch))
    if media_type != JSON_PATCH:
        return duplicates
    return tuple(f"json patch {slip}" for slip in (*_unknown_fields(patch), *duplicates))


def refused_apply(slips: tuple[str, ...]) -> ApiFailure:
    """A strict caller applies something odd."""
    lines = "\n".join(f"  {slip}" for slip in slips)
    return bad_request(
        "error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n"
        f"{lines}"
    )


def _unknown_fields(patch: bytes) -> Iterator[str]:
    for at, operation in enumerate(orjson.loads(patch) or ()):
        for name in operation:
            if name not in _OPERATION_FIELDS:
                yield f'unknown field "[{at}].{name}"'


def _repeated_keys(patch: bytes) -> Iterator[str]:
    try:
        # Most who apply send JSON, which is read a hundred times faster than YAML.
        if not duplicate_fields(patch):
            return
    except ValueError:
        pass
    yield from _repeated_below(yaml.compose(patch, Loader=yaml.SafeLoader))


def _repeated_below(node: yaml.Node | None) -> Iterator[str]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_below(item)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
            seen.add(key.value)
            yield from _repeated_below(value)
