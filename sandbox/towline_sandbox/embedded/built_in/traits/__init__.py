"""How the objects of each built-in kind behave when written."""

from towline_sandbox.embedded.built_in.traits import (
    certificates,
    configuration,
    events,
    leases,
    namespaces,
    pods,
    rbac,
    workloads,
)
from towline_sandbox.embedded.model.kinds import StorageKey, Traits

_TRAITS = {
    **certificates.TRAITS,
    **configuration.TRAITS,
    **events.TRAITS,
    **leases.TRAITS,
    **namespaces.TRAITS,
    **pods.TRAITS,
    **rbac.TRAITS,
    **workloads.TRAITS,
}


def traits_of(group: str, plural: str) -> Traits:
    """Return how objects of this kind behave; those not named here have no rules of their own."""
    return _TRAITS.get(StorageKey(group, plural), Traits())
