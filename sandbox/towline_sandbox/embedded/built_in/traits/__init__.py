"""How the objects of each built-in kind behave when written."""

from towline_sandbox.embedded.built_in.traits import (
    admission_policies,
    certificates,
    cluster_settings,
    configuration,
    events,
    leases,
    namespaces,
    networking,
    nodes,
    pods,
    rbac,
    services,
    workloads,
)
from towline_sandbox.embedded.custom import CRD_KEY, CRD_TRAITS
from towline_sandbox.embedded.model.kinds import StorageKey, Traits

_TRAITS = {
    CRD_KEY: CRD_TRAITS,
    **admission_policies.TRAITS,
    **certificates.TRAITS,
    **cluster_settings.TRAITS,
    **configuration.TRAITS,
    **events.TRAITS,
    **leases.TRAITS,
    **namespaces.TRAITS,
    **networking.TRAITS,
    **nodes.TRAITS,
    **pods.TRAITS,
    **rbac.TRAITS,
    **services.TRAITS,
    **workloads.TRAITS,
}


def traits_of(group: str, plural: str) -> Traits:
    """Return how objects of this kind behave; those not named here have no rules of their own."""
    return _TRAITS.get(StorageKey(group, plural), Traits())
