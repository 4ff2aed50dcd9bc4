"""Names of custom kinds: each may be used once in a group; who comes first has it."""

from collections.abc import Iterable, Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom.conditions import condition_is
from towline_sandbox.embedded.model.kinds import Kind


class NameConflict(Exception):  # noqa: N818  # becomes a condition
    """A name is taken.

    Args:
        reason: The condition's reason.
        name: The name.
    """

    def __init__(self, reason: str, name: str) -> None:
        super().__init__(f'"{name}" is already in use')
        self.reason = reason


def accepted_names(
    crd: KubeObject, *, others: Iterable[KubeObject], built_in: Iterable[Kind]
) -> tuple[KubeObject, NameConflict | None]:
    """Return the names that a CRD may use, and the first conflict if there is one.

    Args:
        crd: The definition.
        others: All other definitions.
        built_in: Kinds that are served without a definition.

    A name that is taken is left as it was accepted before, or out.
    """
    wanted: KubeObject = crd["spec"]["names"]
    before: KubeObject = (crd.get("status") or {}).get("acceptedNames") or {}
    resources, kinds = _taken(crd["spec"]["group"], others, built_in, own=crd["metadata"]["name"])
    accepted = dict(before)
    conflict: NameConflict | None = None
    for field, reason, taken in (
        ("plural", "PluralConflict", resources),
        ("singular", "SingularConflict", resources),
        ("shortNames", "ShortNamesConflict", resources),
        ("kind", "KindConflict", kinds),
        ("listKind", "ListKindConflict", kinds),
    ):
        value = wanted.get(field)
        clash = next((name for name in _each(value) if name in taken), None)
        if clash is not None:
            conflict = NameConflict(reason, clash)
        elif value:
            accepted[field] = value
        else:
            accepted.pop(field, None)
    if "categories" in wanted:
        accepted["categories"] = wanted["categories"]
    else:
        accepted.pop("categories", None)
    return {"plural": "", "kind": "", **accepted}, conflict


def _each(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from value


def _taken(
    group: str, others: Iterable[KubeObject], built_in: Iterable[Kind], *, own: str
) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        if other["metadata"]["name"] == own or other["spec"]["group"] != group:
            continue
        names = (other.get("status") or {}).get("acceptedNames") or {}
        for field in ("plural", "singular", "shortNames"):
            resources.update(_each(names.get(field)))
        if condition_is(other, "Established", "True") or names.get("kind"):
            kinds.update(filter(None, (names.get("kind"), names.get("listKind"))))
    for kind in built_in:
        if kind.resource.group == group and not kind.custom:
            resources.update((kind.resource.plural, kind.singular, *kind.short_names))
            kinds.update((kind.resource.kind, kind.list_kind))
    return resources - {""}, kinds
