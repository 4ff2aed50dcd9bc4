"""Tables: what `kubectl get` prints, made by the server."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import bad_request
from towline_sandbox.embedded.model.kinds import Column, Kind, StorageKey
from towline_sandbox.embedded.views.columns import NAME_AND_CREATION
from towline_sandbox.embedded.views.durations import Since
from towline_sandbox.embedded.views.partial_metadata import API_VERSION, partial_metadata

_PODS = StorageKey("", "pods")
_POD_ENDINGS = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


class IncludeObject(StrEnum):
    """How much of an object stands beside its row (query parameter `includeObject`)."""

    NONE = "None"
    METADATA = "Metadata"
    OBJECT = "Object"

    @classmethod
    def parse(cls, asked: str | None) -> "IncludeObject":
        """Return what a caller asks for.

        Raises:
            ApiFailure: There is no such amount.
        """
        try:
            return cls(asked or cls.METADATA)
        except ValueError:
            raise bad_request(
                f'Unable to convert to Table as requested: includeObject: Invalid value: "{asked}"'
                ": must be 'Metadata', 'Object', 'None', or empty"
            ) from None


def as_table(
    kind: Kind,
    objects: Iterable[KubeObject],
    *,
    list_metadata: KubeObject,
    now: datetime,
    include_object: IncludeObject = IncludeObject.METADATA,
    with_columns: bool = True,
) -> KubeObject:
    """Return objects as a table.

    Args:
        kind: What they are.
        objects: In the order of the rows.
        list_metadata: `metadata` of the List they come from; for a single object, its
            `resourceVersion`.
        now: What ages are counted to.
        include_object: How much of each object stands beside its row.
        with_columns: Whether to say what the columns are; a watch does so only once.
    """
    columns = kind.columns or NAME_AND_CREATION
    return {
        "kind": "Table",
        "apiVersion": API_VERSION,
        "metadata": list_metadata,
        "columnDefinitions": [_definition(each) for each in columns] if with_columns else None,
        "rows": [
            {
                "cells": [_cell(column, obj, now=now) for column in columns],
                **(_conditions(obj) if kind.storage_key == _PODS else {}),
                "object": _included(kind, obj, include_object),
            }
            for obj in objects
        ],
    }


def _definition(column: Column) -> KubeObject:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _conditions(pod: KubeObject) -> KubeObject:
    phase = (pod.get("status") or {}).get("phase")
    if phase not in _POD_ENDINGS:
        return {}
    ended = {
        "type": "Completed",
        "status": "True",
        "reason": phase,
        "message": _POD_ENDINGS[phase],
    }
    return {"conditions": [ended]}


def _included(kind: Kind, obj: KubeObject, include_object: IncludeObject) -> KubeObject | None:
    match include_object:
        case IncludeObject.NONE:
            return None
        case IncludeObject.METADATA:
            return partial_metadata(obj)
        case IncludeObject.OBJECT:
            # Items of a List do not say what they are; here each stands for itself.
            return {"kind": kind.resource.kind, "apiVersion": kind.resource.api_version, **obj}


def _cell(column: Column, obj: KubeObject, *, now: datetime) -> object:
    value = column.value(obj)
    return value.at(now) if isinstance(value, Since) else value
