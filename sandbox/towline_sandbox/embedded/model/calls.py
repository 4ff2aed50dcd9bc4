"""One call to the API server, understood: who asks, for what, under which conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from towline_sandbox.embedded.model.kinds import Kind

ANONYMOUS_USER = "system:anonymous"
AUTHENTICATED_GROUP = "system:authenticated"
UNAUTHENTICATED_GROUP = "system:unauthenticated"
MASTERS_GROUP = "system:masters"


@dataclass(frozen=True, slots=True)
class User:
    """Who makes a call, as authentication found.

    Args:
        name: User name.
        groups: All groups, `system:authenticated` included, in the order Kubernetes gives them.
        uid: Unique id, where the credential holds one.
        extra: More facts of the credential.
    """

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


ANONYMOUS = User(ANONYMOUS_USER, (UNAUTHENTICATED_GROUP,))
SYSTEM = User("system:apiserver", (MASTERS_GROUP, AUTHENTICATED_GROUP))
"""The server itself."""


class FieldValidation(StrEnum):
    """What happens to fields that a kind does not have (query parameter `fieldValidation`)."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


@dataclass(frozen=True, slots=True)
class Call:
    """One call about objects of a kind.

    Args:
        verb: Kubernetes' verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`,
            `deletecollection`.
        kind: What it is about, in the version that the caller speaks.
        user: Who calls.
        now: When it came in.
        namespace: Namespace in the path, if any.
        name: Name in the path, if any.
        subresource: For example `status`; empty for the object itself.
        query: Query parameters, each with its last value.
        field_manager: Whose the written fields are: `fieldManager`, or the program named in the
            caller's `User-Agent`.
        dry_run: Go through everything, store nothing.
        field_validation: What to do about unknown fields.
        warnings: Grows while the call is carried out; each becomes a `Warning` header.
    """

    verb: str
    kind: Kind
    user: User
    now: datetime
    namespace: str | None = None
    name: str | None = None
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    field_manager: str = "unknown"
    dry_run: bool = False
    field_validation: FieldValidation = FieldValidation.WARN
    warnings: list[str] = field(default_factory=list)

    @property
    def target(self) -> str:
        """Name of the object in the path, for verbs that have one.

        Raises:
            ValueError: The path names none; it should not have come this far.
        """
        if self.name is None:
            raise ValueError(f"{self.verb} {self.kind.resource.qualified} names no object")
        return self.name

    def describe(self) -> str:
        """Return the call in a few words, for logs: `update managedclusters.… c1/status`."""
        what = self.kind.resource.qualified
        where = "/".join(part for part in (self.namespace, self.name, self.subresource) if part)
        return f"{self.verb} {what} {where}".rstrip()
