"""In which ways kinds differ when their objects are updated and deleted.

Kubernetes leaves these choices to each kind, and clients notice them.
"""

from dataclasses import dataclass

from towline_sandbox.embedded.model.kinds import Kind, StorageKey

_ADMISSION = "admissionregistration.k8s.io"
_STORAGE = "storage.k8s.io"


@dataclass(frozen=True, slots=True)
class Habits:
    """How the objects of a kind are updated and deleted.

    Args:
        needs_version: Whether an update has to name the resource version it was made from.
        answers_with_object: Whether a deletion is answered with the object, not with a Status.
        orphans: Whether what belongs to an object stays by default when it is deleted.
        is_collected: Whether its deletion concerns the garbage collector at all.
        has_grace: Whether it is first told to end, and goes when it has.
    """

    needs_version: bool = False
    answers_with_object: bool = False
    orphans: bool = False
    is_collected: bool = True
    has_grace: bool = False


_NEEDS_VERSION = Habits(needs_version=True)
_ANSWERS_WITH_OBJECT = Habits(answers_with_object=True)
_BOTH = Habits(needs_version=True, answers_with_object=True)
_ORDINARY = Habits()

_BY_KEY: dict[StorageKey, Habits] = {
    StorageKey("", "events"): Habits(is_collected=False),
    StorageKey("", "namespaces"): _ANSWERS_WITH_OBJECT,
    StorageKey("", "persistentvolumeclaims"): _ANSWERS_WITH_OBJECT,
    StorageKey("", "persistentvolumes"): _ANSWERS_WITH_OBJECT,
    StorageKey("", "pods"): Habits(answers_with_object=True, has_grace=True),
    StorageKey("", "podtemplates"): _ANSWERS_WITH_OBJECT,
    StorageKey("", "replicationcontrollers"): Habits(orphans=True),
    StorageKey("", "resourcequotas"): _ANSWERS_WITH_OBJECT,
    StorageKey("", "serviceaccounts"): _ANSWERS_WITH_OBJECT,
    StorageKey("", "services"): _ANSWERS_WITH_OBJECT,
    StorageKey("apiextensions.k8s.io", "customresourcedefinitions"): _NEEDS_VERSION,
    StorageKey("apiregistration.k8s.io", "apiservices"): _NEEDS_VERSION,
    StorageKey("batch", "jobs"): Habits(orphans=True),
    StorageKey("coordination.k8s.io", "leasecandidates"): _NEEDS_VERSION,
    StorageKey("coordination.k8s.io", "leases"): _NEEDS_VERSION,
    StorageKey("node.k8s.io", "runtimeclasses"): _NEEDS_VERSION,
    StorageKey("policy", "poddisruptionbudgets"): _NEEDS_VERSION,
    StorageKey(_ADMISSION, "mutatingadmissionpolicies"): _NEEDS_VERSION,
    StorageKey(_ADMISSION, "mutatingadmissionpolicybindings"): _NEEDS_VERSION,
    StorageKey(_ADMISSION, "mutatingwebhookconfigurations"): _NEEDS_VERSION,
    StorageKey(_ADMISSION, "validatingadmissionpolicies"): _NEEDS_VERSION,
    StorageKey(_ADMISSION, "validatingadmissionpolicybindings"): _NEEDS_VERSION,
    StorageKey(_ADMISSION, "validatingwebhookconfigurations"): _NEEDS_VERSION,
    StorageKey(_STORAGE, "csidrivers"): _BOTH,
    StorageKey(_STORAGE, "csinodes"): _BOTH,
    StorageKey(_STORAGE, "csistoragecapacities"): _NEEDS_VERSION,
    StorageKey(_STORAGE, "storageclasses"): _ANSWERS_WITH_OBJECT,
    StorageKey(_STORAGE, "volumeattachments"): _BOTH,
    StorageKey(_STORAGE, "volumeattributesclasses"): _ANSWERS_WITH_OBJECT,
    StorageKey("resource.k8s.io", "deviceclasses"): _ANSWERS_WITH_OBJECT,
    StorageKey("resource.k8s.io", "resourceclaims"): _ANSWERS_WITH_OBJECT,
    StorageKey("resource.k8s.io", "resourceclaimtemplates"): _ANSWERS_WITH_OBJECT,
    StorageKey("resource.k8s.io", "resourceslices"): _ANSWERS_WITH_OBJECT,
}


def habits_of(kind: Kind) -> Habits:
    """Return the habits of a kind."""
    return _NEEDS_VERSION if kind.custom else _BY_KEY.get(kind.storage_key, _ORDINARY)
