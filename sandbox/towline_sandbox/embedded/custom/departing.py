"""Definitions that are about to go, which takes as long as there are objects of their kind."""

from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject
from towline_api.timestamps import parse_time
from towline_sandbox.embedded.custom.conditions import with_condition
from towline_sandbox.embedded.model.kinds import StorageKey

CRD_KEY = StorageKey(CUSTOM_RESOURCE_DEFINITIONS.group, CUSTOM_RESOURCE_DEFINITIONS.plural)
CLEAN_UP = "customresourcecleanup.apiextensions.k8s.io"
"""Finalizer: a definition stays until the last object of its kind is gone."""


def begin_deletion(crd: KubeObject, since: str) -> KubeObject:
    """Return a definition as one that goes once the objects of its kind are gone."""
    metadata = {**crd["metadata"], "deletionTimestamp": since}
    finalizers = metadata.get("finalizers") or []
    if CLEAN_UP not in finalizers:
        metadata["finalizers"] = [*finalizers, CLEAN_UP]
    return with_condition(
        {**crd, "metadata": metadata},
        "Terminating",
        "True",
        reason="InstanceDeletionPending",
        message=(
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        ),
        now=parse_time(since),
    )
