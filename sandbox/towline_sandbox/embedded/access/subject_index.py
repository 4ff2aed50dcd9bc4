"""Bindings by the subjects they name, following the store change by change."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from towline_api.resources import KubeObject
from towline_sandbox.embedded.access.wording import quoted
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import ChangeType
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.storage.subscription import Subscription

SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"

_SubjectKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RoleReference:
    """The role that a binding grants.

    Args:
        kind: `Role` or `ClusterRole`.
        name: Its name.
    """

    kind: str
    name: str

    @classmethod
    def parse(cls, binding: KubeObject) -> Self:
        """Return what a binding's `roleRef` names."""
        reference = binding.get("roleRef") or {}
        return cls(reference.get("kind", ""), reference.get("name", ""))


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding or ClusterRoleBinding.

    Args:
        name: Its name.
        namespace: Its namespace; empty for a ClusterRoleBinding.
        role: What it grants.
        subjects: To whom: what each subject is looked up by, and how messages name it.
    """

    name: str
    namespace: str
    role: RoleReference
    subjects: tuple[tuple[_SubjectKey, str], ...]

    @classmethod
    def parse(cls, binding: KubeObject) -> Self:
        """Return a stored binding."""
        namespace = binding["metadata"].get("namespace", "")
        return cls(
            binding["metadata"]["name"],
            namespace,
            RoleReference.parse(binding),
            tuple(
                _read_subject(subject, namespace=namespace)
                for subject in binding.get("subjects") or ()
            ),
        )

    def describe(self, user: User) -> str:
        """Return by what the user holds the role, as Kubernetes says it."""
        kind = "RoleBinding" if self.namespace else "ClusterRoleBinding"
        # The name comes before its namespace here, unlike anywhere else in Kubernetes.
        own_name = f"{self.name}/{self.namespace}" if self.namespace else self.name
        mine = frozenset(_subject_keys(user))
        subject = next(words for key, words in self.subjects if key in mine)
        return (
            f"{kind} {quoted(own_name)} of {self.role.kind} {quoted(self.role.name)} to {subject}"
        )


class SubjectIndex:
    """The bindings of one kind, by namespace and subject.

    Args:
        store: Holds them.
        key: Which kind.
    """

    def __init__(self, store: Store, key: StorageKey) -> None:
        self._store = store
        self._key = key
        self._changes: Subscription | None = None
        self._found: dict[tuple[str, _SubjectKey], dict[str, Binding]] = {}

    def find(self, user: User, *, namespace: str = "") -> list[Binding]:
        """Return the bindings in a namespace to a user or its groups, sorted by name."""
        self._follow()
        found: dict[str, Binding] = {}
        for subject in _subject_keys(user):
            found.update(self._found.get((namespace, subject), {}))
        return [found[name] for name in sorted(found)]

    def _follow(self) -> None:
        # A subscription ends when its reader is too far behind.
        if self._changes is None or not self._changes.is_open:
            self._found.clear()
            self._changes = self._store.watch(self._key, since=self._store.revision)
            self._add(self._store.objects(self._key))
        for change in self._changes.take():
            if change.previous is not None:
                self._remove(change.previous)
            if change.type is not ChangeType.DELETED:
                self._add([change.object])

    def _add(self, stored: Iterable[KubeObject]) -> None:
        for each in stored:
            binding = Binding.parse(each)
            for subject, _ in binding.subjects:
                here = self._found.setdefault((binding.namespace, subject), {})
                here[binding.name] = binding

    def _remove(self, stored: KubeObject) -> None:
        binding = Binding.parse(stored)
        for subject, _ in binding.subjects:
            place = (binding.namespace, subject)
            here = self._found.get(place, {})
            here.pop(binding.name, None)
            if not here:
                self._found.pop(place, None)


def _subject_keys(user: User) -> tuple[_SubjectKey, ...]:
    return (("User", user.name), *(("Group", group) for group in user.groups))


def _read_subject(subject: KubeObject, *, namespace: str) -> tuple[_SubjectKey, str]:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind != "ServiceAccount":
        return (kind, name), f"{kind} {quoted(name)}"
    # A binding may leave out the namespace of an account next to it.
    home = subject.get("namespace") or namespace
    words = f"{kind} {quoted(f'{name}/{home}')}"
    return ("User", f"{SERVICE_ACCOUNT_PREFIX}{home}:{name}") if home else ("", ""), words
