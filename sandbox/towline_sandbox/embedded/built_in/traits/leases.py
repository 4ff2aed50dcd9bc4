"""Leases."""

from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import invalid_value

# For coordinated leader election, which a server leaves out unless told: dropped silently.
_NOT_SERVED = ("strategy", "preferredHolder")


def _fill(_call: Call, new: KubeObject, _old: KubeObject | None) -> None:
    for field in _NOT_SERVED:
        new["spec"].pop(field, None)


def _check(_call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    spec = new["spec"]
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid_value("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        told = "must be greater than or equal to 0"
        yield invalid_value("spec.leaseTransitions", transitions, told)


TRAITS = {
    StorageKey("coordination.k8s.io", "leases"): Traits(
        fill=_fill, check=_check, check_name=dns_subdomain, may_create_by_update=True
    ),
}
