"""Between the version objects are stored in and the one a caller speaks."""

from collections.abc import Sequence

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Kind


async def as_served(kind: Kind, objects: Sequence[KubeObject]) -> list[KubeObject]:
    """Return stored objects in the version of the kind, in the same order."""
    return await _in_version(kind, objects, kind.resource.api_version)


async def as_stored(kind: Kind, obj: KubeObject) -> KubeObject:
    """Return an object of the kind in the version that is stored."""
    return (await _in_version(kind, [obj], str(kind.stored_as)))[0]


async def _in_version(
    kind: Kind, objects: Sequence[KubeObject], api_version: str
) -> list[KubeObject]:
    # What is stored may be in several versions, since the stored version of a custom kind can
    # change.
    others = [at for at, obj in enumerate(objects) if obj["apiVersion"] != api_version]
    found = list(objects)
    if not others:
        return found
    if kind.convert is None:
        converted = [{**objects[at], "apiVersion": api_version} for at in others]
    else:
        converted = await kind.convert([objects[at] for at in others], api_version)
    for at, obj in zip(others, converted, strict=True):
        found[at] = obj
    return found
