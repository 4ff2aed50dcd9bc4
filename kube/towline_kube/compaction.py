"""Holding many Kubernetes objects in little memory."""

import sys
from typing import Any

from towline_api.resources import KubeObject

_SHARED_VALUES = frozenset({"apiVersion", "kind"})


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
    """Return an equal object whose field names are shared with all others.

    The JSON parser makes new strings for the field names of every document; for small objects
    such as leases these are half of their size. Values differ too much to be worth it, save for
    those that say what kind of object it is.
    """
    return {
        sys.intern(key): sys.intern(value)
        if key in _SHARED_VALUES and type(value) is str
        else _share(value)
        for key, value in obj.items()
    }


def _share(value: Any) -> Any:
    # The exact types are all a JSON parser makes.
    if type(value) is dict:
        return {sys.intern(key): _share(entry) for key, entry in value.items()}
    if type(value) is list:
        return [_share(entry) for entry in value]
    return value
