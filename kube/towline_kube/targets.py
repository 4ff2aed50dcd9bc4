"""What a call is about, and its path: safe against names that other objects made up."""

from dataclasses import dataclass
from typing import Self

from towline_api.resources import KubeObject, Resource


@dataclass(frozen=True, slots=True)
class Target:
    """One object, one of its subresources, or all objects of a kind.

    Args:
        resource: Kind of object.
        name: Name of the object; empty for all of them, and for one that is to get its name.
        namespace: None for cluster-scoped kinds, and for the objects of all namespaces.
        subresource: For example `status`; None for the object itself.
    """

    resource: Resource
    name: str = ""
    namespace: str | None = None
    subresource: str | None = None

    @classmethod
    def of(cls, resource: Resource, obj: KubeObject, *, subresource: str | None = None) -> Self:
        """Return the object that `obj` names, which need not exist (yet)."""
        metadata = obj.get("metadata") or {}
        return cls(resource, metadata.get("name") or "", metadata.get("namespace"), subresource)

    def __str__(self) -> str:
        if self.name:
            described = self.resource.describe(self.name, namespace=self.namespace)
        else:
            within = f" in {self.namespace}" if self.namespace else ""
            described = f"{self.resource.qualified}{within}"
        return f"{self.subresource} of {described}" if self.subresource else described

    @property
    def counted(self) -> str:
        """The name under which calls are counted: the kind, and the subresource if there is one."""
        kind = self.resource.qualified
        return f"{kind}/{self.subresource}" if self.subresource else kind

    def object_path(self) -> str:
        """Return the path of one object, and never of anything else.

        Names may come from other objects. An empty one would make a path of the whole collection,
        and dots one of its parents.
        """
        for part in (self.name, self.namespace if self.resource.namespaced else self.name):
            if part is None or part in ("", ".", ".."):
                raise ValueError(
                    f"{self.resource.qualified} needs a name and its namespace; got {part!r}"
                )
        return self.resource.path(
            namespace=self.namespace, name=self.name, subresource=self.subresource
        )

    def path_to_create_at(self) -> str:
        """Return the path to create an object at: of one namespace, where the kind has them."""
        if self.resource.namespaced and self.namespace in (None, "", ".", ".."):
            raise ValueError(
                f"{self.resource.kind} to create needs metadata.namespace; got {self.namespace!r}"
            )
        return self.resource.path(namespace=self.namespace)
