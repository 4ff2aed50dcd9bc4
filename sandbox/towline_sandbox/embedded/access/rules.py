"""Rules of Roles: what one allows, whether one covers another, how one is written in a message.

Rules only ever add: nothing forbids, and a request is allowed by one rule or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from towline_api.resources import KubeObject
from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.access.wording import quoted_list

_ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a Role or ClusterRole.

    Args:
        verbs: What may be done.
        groups: API groups of the resources.
        resources: Plural names, `plural/subresource` or `*/subresource`.
        names: Only these objects; empty for all.
        urls: Paths that are no resources; a last `*` stands for anything.
    """

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def parse(cls, rule: KubeObject) -> Self:
        """Return a rule as it stands in an object."""
        return cls(
            *(
                tuple(rule.get(key) or ())
                for key in ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
            )
        )

    def allows(self, wanted: Attributes) -> bool:
        """Return whether the rule allows this by itself."""
        if _ALL not in self.verbs and wanted.verb not in self.verbs:
            return False
        if not wanted.is_resource:
            return any(_url_covers(url, wanted.path) for url in self.urls)
        return (
            (_ALL in self.groups or wanted.group in self.groups)
            and (_ALL in self.resources or self._names_resource(wanted))
            and (not self.names or wanted.name in self.names)
        )

    def covers(self, other: Self) -> bool:
        """Return whether whoever holds this rule holds `other`, which is broken down (`parts`)."""
        return (
            _holds(self.verbs, other.verbs)
            and _holds(self.groups, other.groups)
            and all(_resource_covers(self.resources, each) for each in other.resources)
            and all(any(_url_covers(own, url) for own in self.urls) for url in other.urls)
            and (not self.names or (bool(other.names) and set(other.names) <= set(self.names)))
        )

    def parts(self) -> Iterator[Self]:
        """Break the rule down until each part has one verb on one resource, name or path."""
        by_name: list[tuple[str, ...]] = [(name,) for name in self.names] or [()]
        for group in self.groups:
            for resource in self.resources:
                for verb in self.verbs:
                    for names in by_name:
                        yield replace(
                            self,
                            verbs=(verb,),
                            groups=(group,),
                            resources=(resource,),
                            names=names,
                            urls=(),
                        )
        for url in self.urls:
            for verb in self.verbs:
                yield replace(self, verbs=(verb,), groups=(), resources=(), names=(), urls=(url,))

    def describe(self) -> str:
        """Return the rule as Kubernetes' messages write it."""
        said = [
            f"{label}:{quoted_list(values)}"
            for label, values in (
                ("APIGroups", self.groups),
                ("Resources", self.resources),
                ("NonResourceURLs", self.urls),
                ("ResourceNames", self.names),
                ("Verbs", self.verbs),
            )
            if values
        ]
        return f"{{{', '.join(said)}}}"

    def _names_resource(self, wanted: Attributes) -> bool:
        if wanted.subresource:
            return (
                wanted.whole_resource in self.resources
                or f"*/{wanted.subresource}" in self.resources
            )
        return wanted.resource in self.resources


EVERYTHING = (
    Rule(verbs=(_ALL,), groups=(_ALL,), resources=(_ALL,)),
    Rule(verbs=(_ALL,), urls=(_ALL,)),
)
"""What an administrator of the whole cluster holds."""


def find_missing(held: Sequence[Rule], wanted: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the parts of wanted rules that nothing held covers.

    Verbs on the same resource are put together again, those on paths are not, as Kubernetes does.
    """
    resources: dict[Rule, list[str]] = {}
    urls: dict[Rule, None] = {}
    for rule in wanted:
        for part in rule.parts():
            if any(own.covers(part) for own in held):
                continue
            if part.urls:
                urls[part] = None
            else:
                resources.setdefault(replace(part, verbs=()), []).extend(part.verbs)
    return (*(replace(part, verbs=tuple(verbs)) for part, verbs in resources.items()), *urls)


def _holds(own: Sequence[str], wanted: Iterable[str]) -> bool:
    return _ALL in own or set(wanted) <= set(own)


def _resource_covers(own: Sequence[str], wanted: str) -> bool:
    if _ALL in own or wanted in own:
        return True
    _, slash, subresource = wanted.partition("/")
    return bool(slash) and f"*/{subresource}" in own


def _url_covers(own: str, wanted: str) -> bool:
    return own == wanted or (own.endswith(_ALL) and wanted.startswith(own.rstrip(_ALL)))
