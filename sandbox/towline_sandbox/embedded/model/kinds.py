"""Kinds as data: what the server has to know to serve one, and the catalog of those it serves.

A kind is served in a version; the same objects may be served in several. Built-in kinds are in the
catalog from the start, those of CustomResourceDefinitions come and go.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import ANYTHING, Schema

if TYPE_CHECKING:
    from towline_sandbox.embedded.model.calls import Call

Complete = Callable[[KubeObject], None]
"""Sets, in place, what a field that was left out stands for. Runs on whatever callers send, before
anything else: the fields belong to the caller as if it had written them."""

Fill = Callable[["Call", KubeObject, KubeObject | None], None]
"""Sets, in place, what the server sets itself: stamped fields, what a caller may not touch. Gets
the call, the object about to be stored (a private copy) and the one stored now."""

Check = Callable[["Call", KubeObject, KubeObject | None], Iterable[Cause]]
"""Names every rule of the kind that the object about to be stored breaks. Pure."""

Convert = Callable[[Sequence[KubeObject], str], Awaitable[list[KubeObject]]]
"""Turns objects into the kind's form in another `apiVersion`. Does not change what it is given."""

Warn = Callable[["Call", KubeObject, KubeObject | None], Iterable[str]]
"""Names what a caller should be told about an object that breaks no rule. Pure."""

BeginDeletion = Callable[[KubeObject, str], KubeObject]
"""Returns an object as one that is being deleted since a moment, given as its text. Pure."""

NameCheck = Callable[[str], Sequence[str]]
"""Says what is wrong with a name, in Kubernetes' sentences; empty if nothing is."""


class StorageKey(NamedTuple):
    """What is stored together: the objects of one group and plural, whatever their version."""

    group: str
    plural: str


class GroupVersion(NamedTuple):
    """One version of an API group."""

    group: str
    version: str

    def __str__(self) -> str:
        """Return `group/version`; just the version in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below an object, for example `status`.

    Args:
        name: The path segment.
        verbs: What can be done with it.
        kind: Kind of the body, where it is not the object's own (`TokenRequest`, `Scale`).
        group_version: API group and version of that kind.
    """

    name: str
    verbs: frozenset[str]
    kind: str = ""
    group_version: GroupVersion | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`.

    Args:
        name: Heading.
        type: OpenAPI type: `string`, `integer`, `boolean`, `date`.
        value: Computes the cell; gets the object.
        format: OpenAPI format; `name` marks the object's name.
        priority: 0 is always shown, more only with `-o wide`.
        description: What the column holds.
    """

    name: str
    type: str
    value: Callable[[KubeObject], object]
    format: str = ""
    priority: int = 0
    description: str = ""


def _keep(*_about: object) -> None:
    """Change nothing."""


def _be_silent(*_about: object) -> Sequence[str]:
    """Find nothing odd."""
    return ()


def _allow(*_about: object) -> Sequence[Cause]:
    """Find nothing wrong."""
    return ()


def _any_name(_name: str) -> Sequence[str]:
    """Find nothing wrong."""
    return ()


@dataclass(frozen=True, slots=True)
class Traits:
    """How the objects of a kind behave when written.

    Args:
        complete: Sets the defaults of a kind. The fields then are the caller's.
        fill: Sets what the server sets. Runs after the caller's change, before `check`; nobody
            owns what it sets.
        check: Names broken rules of this kind. Metadata has been checked already.
        begin_deletion: Marks an object as being deleted, where that is not done as usual; whoever
            follows the kind then lets it go.
        warn: Says what is odd about an object that is stored all the same.
        check_name: Says what is wrong with a name.
        counts_generation: Whether a change outside metadata and status raises `generation`.
        selectable: Fields for field selectors besides `metadata.name` and `metadata.namespace`:
            the selector's name and what computes the value as text.
        may_create_by_update: Whether an update of what is not there creates it (Leases, Events
            and a few others in Kubernetes). Apply always does.
    """

    complete: Complete = _keep
    fill: Fill = _keep
    check: Check = _allow
    warn: Warn = _be_silent
    begin_deletion: BeginDeletion | None = None
    check_name: NameCheck = _any_name
    counts_generation: bool = False
    selectable: Mapping[str, Callable[[KubeObject], str]] = field(default_factory=dict)
    may_create_by_update: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind, served in one version.

    Args:
        resource: Group, version, plural, kind and scope.
        verbs: What can be done with its objects.
        singular: Singular name for kubectl.
        list_kind: Kind of its lists.
        schema: The shape of its objects.
        storage_version: Version its objects are stored in.
        subresources: By name.
        short_names: Abbreviations for kubectl.
        categories: Groups of kinds for kubectl, for example `all`.
        traits: How its objects behave.
        columns: What `kubectl get` shows after the name; empty for name and age.
        convert: Turns objects of this group and plural into another version; None if all versions
            have the same form, apart from `apiVersion`.
        stored_group: Group its objects are stored in, where that is not its own: the Events of
            `events.k8s.io` are those of the core group, seen differently. It has `convert` then.
        custom: Whether it comes from a CustomResourceDefinition: pruned, no strategic merge patch.
        deprecation: What every caller who speaks this version is warned of; empty for nothing.
    """

    resource: Resource
    verbs: frozenset[str]
    singular: str
    list_kind: str
    schema: Schema = ANYTHING
    storage_version: str = "v1"
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    traits: Traits = Traits()
    columns: tuple[Column, ...] = ()
    convert: Convert | None = None
    stored_group: str | None = None
    custom: bool = False
    deprecation: str = ""

    # Asked for many times in each call, so worked out once.
    storage_key: StorageKey = field(init=False, repr=False, compare=False)
    """Where its objects are stored."""
    stored_as: GroupVersion = field(init=False, repr=False, compare=False)
    """The `apiVersion` that its objects are stored with."""
    group_version: GroupVersion = field(init=False, repr=False, compare=False)
    """Where it is served."""

    def __post_init__(self) -> None:
        resource = self.resource
        group = resource.group if self.stored_group is None else self.stored_group
        found = {
            "storage_key": StorageKey(group, resource.plural),
            "stored_as": GroupVersion(group, self.storage_version),
            "group_version": GroupVersion(resource.group, resource.version),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def has_status(self) -> bool:
        """Whether `status` is written through its subresource alone."""
        return "status" in self.subresources


class Catalog:
    """The kinds that are served now."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[GroupVersion, str], Kind] = {}
        self._owners: dict[str, tuple[tuple[GroupVersion, str], ...]] = {}
        self.serial = 0
        """Counts changes; whatever is derived from the catalog holds as long as it stays."""

    def __iter__(self) -> Iterator[Kind]:
        """Iterate over all kinds, a kind once for each version it is served in."""
        return iter(tuple(self._kinds.values()))

    def put(self, owner: str, kinds: Iterable[Kind]) -> None:
        """Serve these kinds; those the same owner (a CRD, or `built-in`) had before go."""
        self.remove(owner)
        added = {(kind.group_version, kind.resource.plural): kind for kind in kinds}
        self._kinds.update(added)
        self._owners[owner] = tuple(added)
        self.serial += 1

    def remove(self, owner: str) -> None:
        """Serve the owner's kinds no more."""
        for key in self._owners.pop(owner, ()):
            del self._kinds[key]
        self.serial += 1

    def find(self, group_version: GroupVersion, plural: str) -> Kind | None:
        """Return the kind at this path."""
        return self._kinds.get((group_version, plural))

    def find_kind(self, group_version: GroupVersion, kind: str) -> Kind | None:
        """Return the kind that objects with this `apiVersion` and `kind` are of."""
        return next(
            (
                found
                for found in self._kinds.values()
                if found.group_version == group_version and found.resource.kind == kind
            ),
            None,
        )

    def versions_of(self, key: StorageKey) -> tuple[Kind, ...]:
        """Return the kind of these objects in every version it is served in."""
        return tuple(kind for kind in self._kinds.values() if kind.storage_key == key)
