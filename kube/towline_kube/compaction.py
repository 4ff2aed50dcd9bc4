"""Holding many Kubernetes objects in little memory."""

import sys
from typing import Any

from towline_api.resources import KubeObject

_OWN_VALUES = frozenset({"uid", "resourceVersion", "renewTime"})
"""Fields whose value no other object has."""
_LONGEST_SHARED = 128
"""Characters; what is longer is hardly ever said twice."""


def drop_managed_fields(obj: KubeObject) -> KubeObject:
    """Return the object without `metadata.managedFields`; changes the object it is given.

    They are often most of an object, nobody here reads them, and a write that leaves them out
    leaves them alone.
    """
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return obj


def share_strings(obj: KubeObject) -> KubeObject:
    """Return an equal object that shares its field names and words with all others.

    The JSON parser makes new strings for every document. Field names are half the size of small
    objects such as leases; and of the values most are said again and again: the name of a cluster
    in all that is made for it, reasons and messages of conditions, verbs and groups of rules.
    """
    return {sys.intern(key): _share(key, value) for key, value in obj.items()}


def _share(key: str, value: Any) -> Any:
    # The exact types are all a JSON parser makes.
    if type(value) is str:
        return value if key in _OWN_VALUES or len(value) > _LONGEST_SHARED else sys.intern(value)
    if type(value) is dict:
        return {sys.intern(name): _share(name, entry) for name, entry in value.items()}
    if type(value) is list:
        return [_share(key, entry) for entry in value]
    return value
