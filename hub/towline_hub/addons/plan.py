"""What the hub says about an add-on on one cluster: the status it writes.

Pure. Only the hub's own parts of the status change. They come in two halves, which on some hubs two
programs write: what registers the agent (registrations, install namespace, health mode, condition
`RegistrationApplied`), and what configures it (configuration references, condition `Configured`).
What the agent reports beside them (its driver, what it applied, `Available`, `Progressing`) stays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.addons import (
    ClusterManagementAddon,
    ConfigKind,
    ConfigReference,
    HashedConfig,
    HealthMode,
    ManagedClusterAddon,
)
from towline_api.condition_types import (
    CONFIGURED,
    CONFIGURED_MESSAGE,
    PERMISSION_APPLIED_MESSAGE,
    REASON_CONFIGURED,
    REASON_NIL_REGISTRATION,
    REASON_NOT_CONFIGURED,
    REASON_PERMISSION_APPLIED,
    REASON_PERMISSION_FAILED,
    REGISTRATION_APPLIED,
)
from towline_api.conditions import with_condition
from towline_hub.addons.config_references import (
    ResolvedConfig,
    install_namespace,
    recorded_references,
)
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.declared_signers import without_signers
from towline_hub.addons.registrations import RegistrationProblem, expected_registrations


def planned_status(
    status: Mapping[str, Any] | None,
    *,
    codec: AddonCodec,
    addon: ManagedClusterAddon,
    definition: ClusterManagementAddon,
    configs: Sequence[ResolvedConfig],
    now: datetime,
    declaration: AddonDeclaration | None = None,
) -> dict[str, Any]:
    """Return the status an add-on shall have once its rights are granted: both halves of it.

    Args:
        status: Its status as it is; not changed.
        codec: How the API version in use writes it.
        addon: The same object's meaning.
        definition: The add-on, for all clusters.
        configs: The configuration in effect, resolved.
        now: The present, for conditions that change.
        declaration: What the add-on is declared to be; None if it is not.
    """
    planned = registration_status(
        status,
        codec=codec,
        addon=addon,
        definition=definition,
        configs=configs,
        now=now,
        declaration=declaration,
    )
    if definition.is_self_managed:
        return planned
    return configuration_status(planned, codec=codec, addon=addon, configs=configs, now=now)


def registration_status(
    status: Mapping[str, Any] | None,
    *,
    codec: AddonCodec,
    addon: ManagedClusterAddon,
    definition: ClusterManagementAddon,
    configs: Sequence[ResolvedConfig],
    now: datetime,
    declaration: AddonDeclaration | None = None,
    withdrawn: Collection[str] = (),
    problem: RegistrationProblem | None = None,
) -> dict[str, Any]:
    """Return an add-on's status with the half that registers its agent.

    Args:
        status: Its status as it is; not changed.
        codec: How the API version in use writes it.
        addon: The same object's meaning.
        definition: The add-on, for all clusters.
        configs: The configuration in effect, resolved.
        now: The present, for conditions that change.
        declaration: What the add-on is declared to be; None if it is not.
        withdrawn: Custom signers that were declared, and are not any more.
        problem: Why its rights are not granted; the agent is told its identity all the same.
    """
    registrations = without_signers(expected_registrations(addon, declaration), withdrawn)
    planned = codec.encode_addon_status(
        status,
        registrations=registrations,
        # Where there is nothing to keep, nobody has to know where.
        agent_namespace=_namespace(addon, configs, declaration) if registrations else None,
        health_mode=_health_mode(addon, declaration),
        supported_configs=_supported_kinds(definition, declaration),
    )
    if problem is not None:
        outcome = ("False", problem.reason, problem.message)
    elif registrations:
        outcome = ("True", REASON_PERMISSION_APPLIED, PERMISSION_APPLIED_MESSAGE)
    else:
        outcome = ("True", REASON_NIL_REGISTRATION, PERMISSION_APPLIED_MESSAGE)
    return _with_registration_applied(planned, outcome, now=now)


def configuration_status(
    status: Mapping[str, Any] | None,
    *,
    codec: AddonCodec,
    addon: ManagedClusterAddon,
    configs: Sequence[ResolvedConfig],
    now: datetime,
) -> dict[str, Any]:
    """Return an add-on's status with the half that configures its agent.

    Args:
        status: Its status as it is; not changed.
        codec: How the API version in use writes it.
        addon: The same object's meaning.
        configs: The configuration in effect, resolved.
        now: The present, for conditions that change.
    """
    planned = codec.encode_addon_status(
        status, config_references=recorded_references(configs, before=addon.config_references)
    )
    problems = [item.problem for item in configs if item.problem is not None]
    planned["conditions"] = with_condition(
        planned.get("conditions") or [],
        type=CONFIGURED,
        status="False" if problems else "True",
        reason=REASON_NOT_CONFIGURED if problems else REASON_CONFIGURED,
        message="; ".join(problems) if problems else CONFIGURED_MESSAGE,
        now=now,
    )
    return planned


def hashed_status(
    status: Mapping[str, Any] | None,
    *,
    codec: AddonCodec,
    addon: ManagedClusterAddon,
    configs: Sequence[ResolvedConfig],
) -> dict[str, Any]:
    """Return an add-on's status with the hashes of references that somebody else wrote.

    Which references there are is OCM's add-on manager's to say; what they hash to, the add-on's own
    hub program's. The generation counts for those that the ManagedClusterAddOn itself names.

    Args:
        status: Its status as it is; not changed.
        codec: How the API version in use writes it.
        addon: The same object's meaning.
        configs: The references, resolved.
    """
    found = {(item.config.kind, item.config.key): item for item in configs}
    chosen = {(config.kind, config.key) for config in addon.configs}

    def hashed(reference: ConfigReference) -> ConfigReference:
        place = (reference.kind, reference.desired.key)
        item = found.get(place)
        if item is None or item.problem is not None:
            return reference
        generation = item.generation if place in chosen else reference.last_observed_generation
        return replace(
            reference,
            desired=HashedConfig(reference.desired.key, item.spec_hash),
            last_observed_generation=generation,
        )

    references = tuple(map(hashed, addon.config_references))
    if references == addon.config_references:
        return dict(status or {})
    return codec.encode_addon_status(status, config_references=references)


def failed_status(
    status: Mapping[str, Any] | None, *, message: str, now: datetime
) -> dict[str, Any]:
    """Return an add-on's status when its rights could not be granted."""
    return _with_registration_applied(
        dict(status or {}), ("False", REASON_PERMISSION_FAILED, message), now=now
    )


def _namespace(
    addon: ManagedClusterAddon,
    configs: Sequence[ResolvedConfig],
    declaration: AddonDeclaration | None,
) -> str:
    requested = addon.requested_namespace
    declared = declaration.install_namespace if declaration is not None else None
    if declared is not None and requested == names.ADDON_NAMESPACE:
        # What the API fills in when nobody asks cannot be told from somebody's wish.
        requested = None
    return install_namespace(
        configs, requested=requested, fallback=declared or names.ADDON_NAMESPACE
    )


def _health_mode(
    addon: ManagedClusterAddon, declaration: AddonDeclaration | None
) -> HealthMode | None:
    if declaration is not None and declaration.health_mode is not None:
        return declaration.health_mode
    # Written once: an add-on that looks after its own health says so here.
    return None if addon.health_mode is not None else HealthMode.LEASE


def _supported_kinds(
    definition: ClusterManagementAddon, declaration: AddonDeclaration | None
) -> list[ConfigKind]:
    declared = declaration.supported_configs if declaration is not None else ()
    return list(dict.fromkeys(item.kind for item in (*definition.supported_configs, *declared)))


def _with_registration_applied(
    status: dict[str, Any], outcome: tuple[str, str, str], *, now: datetime
) -> dict[str, Any]:
    state, reason, message = outcome
    conditions = with_condition(
        status.get("conditions") or [],
        type=REGISTRATION_APPLIED,
        status="True" if state == "True" else "False",
        reason=reason,
        message=message,
        now=now,
    )
    return {**status, "conditions": conditions}
