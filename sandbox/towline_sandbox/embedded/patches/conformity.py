"""Whether an applied object is what its kind allows, as Kubernetes' structured merge says it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches.comparison import Form, form_of
from towline_sandbox.embedded.patches.field_sets import field_step, path_words
from towline_sandbox.embedded.patches.go_words import kind_words, literal, plain, type_name
from towline_sandbox.embedded.patches.shapes import ListShape, MapShape, NoStep, Shape, shape_of


class Trouble(NamedTuple):
    """One thing that is wrong.

    Args:
        path: Where, as messages name it.
        words: What.
    """

    path: str
    words: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"{self.path}: {self.words}" if self.path else self.words


def check_applied(applied: KubeObject, *, kind: Kind) -> None:
    """Check the types of an applied object, and that its items can be told apart.

    Raises:
        ApiFailure: Something is wrong; Kubernetes takes it for its own fault and answers 500.
    """
    found = list(_check(applied, shape_of(kind), ""))
    if not found:
        return
    told = str(found[0])
    if len(found) > 1:
        told = "\n".join(["errors:", *(f"  {trouble}" for trouble in found)])
    metadata = applied.get("metadata") or {}
    which = (
        f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}; "
        f"{kind_words(kind.resource.api_version, kind.resource.kind)}"
    )
    raise ApiFailure(500, "", f"failed to create typed patch object ({which}): {told}")


def _check(value: Any, shape: Shape, path: str) -> Iterator[Trouble]:
    match form_of(value, shape):
        case Form.MAP if shape.map is not None:
            yield from _check_map(value, shape.map, path)
        case Form.LIST if shape.list is not None:
            yield from _check_list(value, shape.list, path)
        case _ if value is not None and (words := _scalar_trouble(value, shape)):
            yield Trouble(path, words)


def _check_map(value: Any, shape: MapShape, path: str) -> Iterator[Trouble]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield Trouble(path, f"expected map, got &{{{plain(value)}}}")
        return
    for name in sorted(value):
        here = path + path_words((field_step(name),))
        below = shape.fields.get(name) or shape.others
        if below is None:
            yield Trouble(here, "field not declared in schema")
            return
        yield from _check(value[name], below, here)


def _check_list(value: Any, shape: ListShape, path: str) -> Iterator[Trouble]:
    if value is None:
        return
    if not isinstance(value, list):
        yield Trouble(path, f"expected list, got &{{{plain(value)}}}")
        return
    seen = set()
    for at, item in enumerate(value):
        step = f"i:{at}"
        if not shape.atomic:
            try:
                step = shape.step(item)
            except NoStep as trouble:
                yield Trouble(path, f"element {at}: {trouble}")
                return
            if step in seen:
                yield Trouble(path, f"duplicate entries for key {path_words((step,))}")
            seen.add(step)
        yield from _check(item, shape.items, path + path_words((step,)))


def _scalar_trouble(value: Any, shape: Shape) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match shape.scalar:
        case "numeric" if not is_number:
            return f"expected numeric (int or float), got {type_name(value)}"
        case "string" if not isinstance(value, str):
            return f"expected string, got &value.valueUnstructured{{Value:{literal(value)}}}"
        case "boolean" if not isinstance(value, bool):
            return f"expected boolean, got &{{{plain(value)}}}"
        case "untyped" if isinstance(value, dict | list):
            return f"expected any scalar, got &{{{plain(value)}}}"
        case _:
            return None
