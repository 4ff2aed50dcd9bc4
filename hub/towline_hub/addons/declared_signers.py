"""Which custom signers of an add-on on one cluster were declared, and are not any more. Pure.

A registration does not say whose it is: one that no declaration speaks of may be another program's.
So the hub notes on the ManagedClusterAddOn which signers it registered on a declaration's word,
before it registers them. What is noted and not declared any more was withdrawn.
"""

from collections.abc import Iterable

from towline_api import names
from towline_api.addons import CustomSignerRegistration, ManagedClusterAddon, Registration
from towline_api.metadata import annotations_of
from towline_api.resources import KubeObject
from towline_hub.addons.declarations import AddonDeclaration


def noted_signers(obj: KubeObject) -> frozenset[str]:
    """Return the signers that a ManagedClusterAddOn has on a declaration's word."""
    note = annotations_of(obj).get(names.DECLARED_SIGNERS_ANNOTATION) or ""
    return frozenset(filter(None, note.split(",")))


def declared_signers(declaration: AddonDeclaration | None) -> frozenset[str]:
    """Return the signers that are declared; none without a declaration."""
    signers = () if declaration is None else declaration.custom_signers
    return frozenset(signer.signer_name for signer in signers)


def registered_signers(addon: ManagedClusterAddon) -> frozenset[str]:
    """Return the custom signers that an add-on is registered with, on whosoever's word."""
    return frozenset(
        item.signer_name
        for item in addon.registrations
        if isinstance(item, CustomSignerRegistration)
    )


def note_of(signers: Iterable[str]) -> dict[str, str | None]:
    """Return the annotation that notes signers, for a merge patch; None takes it off."""
    return {names.DECLARED_SIGNERS_ANNOTATION: ",".join(sorted(signers)) or None}


def without_signers(
    registrations: Iterable[Registration], signers: Iterable[str]
) -> tuple[Registration, ...]:
    """Return registrations without those with the given custom signers."""
    gone = frozenset(signers)
    return tuple(
        item
        for item in registrations
        if not isinstance(item, CustomSignerRegistration) or item.signer_name not in gone
    )
