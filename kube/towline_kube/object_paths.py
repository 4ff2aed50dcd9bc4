"""Paths of single objects and of places to create them, safe against names of others."""

from towline_api.resources import Resource


def object_path(
    resource: Resource,
    name: str,
    *,
    namespace: str | None = None,
    subresource: str | None = None,
) -> str:
    """Return the path of one object, and never of anything else.

    Names may come from other objects. An empty one would make a path of the whole collection, and
    dots one of its parents.
    """
    for part in (name, namespace if resource.namespaced else name):
        if part is None or part in ("", ".", ".."):
            raise ValueError(f"{resource.qualified} needs a name and its namespace; got {part!r}")
    return resource.path(namespace=namespace, name=name, subresource=subresource)


def collection_path(resource: Resource, *, namespace: str | None) -> str:
    """Return the path to create an object at: of one namespace, where the kind has them."""
    if resource.namespaced and namespace in (None, "", ".", ".."):
        raise ValueError(f"{resource.kind} to create needs metadata.namespace; got {namespace!r}")
    return resource.path(namespace=namespace)
