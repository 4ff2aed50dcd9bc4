"""Nothing comes to be in a namespace that is not there, or that is going."""

from towline_api.resources import NAMESPACES
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure, Cause, forbidden, not_found
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.store import Store

NAMESPACES_KEY = StorageKey("", "namespaces")
IMMORTAL = frozenset({"default", "kube-public", "kube-system"})
_PUBLIC_REVIEWS = "authorization.k8s.io"


def check_namespace_takes(store: Store, call: Call, *, name: str) -> None:
    """Refuse to create an object where it would not stay.

    Args:
        store: Where namespaces are.
        call: What is to be done.
        name: Name of the object.

    Raises:
        ApiFailure: The namespace is not there, or being deleted.
    """
    if call.namespace is None or call.kind.resource.group == _PUBLIC_REVIEWS:
        return
    namespace = store.find(NAMESPACES_KEY, namespace=None, name=call.namespace)
    if namespace is None:
        raise not_found(NAMESPACES, call.namespace)
    if "deletionTimestamp" in namespace["metadata"]:
        raise _terminating(call, name)


def check_namespace_may_go(call: Call) -> None:
    """Refuse to delete a namespace that the cluster cannot do without."""
    if call.kind.storage_key == NAMESPACES_KEY and call.name in IMMORTAL:
        raise forbidden(call.kind.resource, call.name, "this namespace may not be deleted")


def _terminating(call: Call, name: str) -> ApiFailure:
    failure = forbidden(
        call.kind.resource,
        name,
        f"unable to create new content in namespace {call.namespace} because it is being "
        "terminated",
    )
    cause = Cause(
        "NamespaceTerminating",
        f"namespace {call.namespace} is being terminated",
        "metadata.namespace",
    )
    failure.details["causes"] = [cause.as_object()]
    return failure
