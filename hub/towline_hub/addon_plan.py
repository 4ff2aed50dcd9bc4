"""What the hub says about an add-on on one cluster: the status it writes.

Pure. Only the hub's own parts of the status change: registrations, install namespace, health mode,
configuration references, and the conditions `RegistrationApplied` and `Configured`. What the agent
reports beside them (its driver, what it applied, `Available`, `Progressing`) stays.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.addons import (
    ClusterManagementAddon,
    HealthMode,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
    SubjectSpec,
)
from towline_api.condition_types import (
    CONFIGURED,
    CONFIGURED_MESSAGE,
    PERMISSION_APPLIED_MESSAGE,
    REASON_CONFIGURED,
    REASON_NOT_CONFIGURED,
    REASON_PERMISSION_APPLIED,
    REASON_PERMISSION_FAILED,
    REGISTRATION_APPLIED,
)
from towline_api.conditions import with_condition
from towline_certs.identities import AddonIdentity
from towline_hub.config_references import (
    ResolvedConfig,
    install_namespace,
    recorded_references,
)


def expected_registrations(addon: ManagedClusterAddon) -> tuple[Registration, ...]:
    """Return the registrations an add-on shall have: one for the hub's API server, and others'.

    An agent that declared the token driver writes the subject itself, so it is left alone, as are
    registrations with custom signers, which this hub does not make.
    """
    ours = next(
        (item for item in addon.registrations if isinstance(item, KubeClientRegistration)), None
    )
    others = tuple(
        item for item in addon.registrations if not isinstance(item, KubeClientRegistration)
    )
    if ours is not None and ours.driver is KubeClientDriver.TOKEN:
        return (ours, *others)
    identity = AddonIdentity(addon.cluster, addon.name, addon.name)
    subject = SubjectSpec(user=identity.user, groups=identity.groups)
    driver = ours.driver if ours is not None else None
    return (KubeClientRegistration(subject, driver), *others)


def planned_status(
    status: Mapping[str, Any] | None,
    *,
    codec: AddonCodec,
    addon: ManagedClusterAddon,
    definition: ClusterManagementAddon,
    configs: Sequence[ResolvedConfig],
    now: datetime,
) -> dict[str, Any]:
    """Return the status an add-on shall have once its rights are granted.

    Args:
        status: Its status as it is; not changed.
        codec: How the API version in use writes it.
        addon: The same object's meaning.
        definition: The add-on, for all clusters.
        configs: The configuration in effect, resolved.
        now: The present, for conditions that change.
    """
    managed = not definition.is_self_managed
    planned = codec.encode_addon_status(
        status,
        registrations=expected_registrations(addon),
        agent_namespace=install_namespace(
            configs, requested=addon.requested_namespace, fallback=names.ADDON_NAMESPACE
        ),
        # Written once: an add-on that looks after its own health says so here.
        health_mode=None if addon.health_mode is not None else HealthMode.LEASE,
        supported_configs=[supported.kind for supported in definition.supported_configs],
        config_references=(
            recorded_references(configs, before=addon.config_references) if managed else None
        ),
    )
    conditions = with_condition(
        planned.get("conditions") or [],
        type=REGISTRATION_APPLIED,
        status="True",
        reason=REASON_PERMISSION_APPLIED,
        message=PERMISSION_APPLIED_MESSAGE,
        now=now,
    )
    if managed:
        problems = [item.problem for item in configs if item.problem is not None]
        conditions = with_condition(
            conditions,
            type=CONFIGURED,
            status="False" if problems else "True",
            reason=REASON_NOT_CONFIGURED if problems else REASON_CONFIGURED,
            message="; ".join(problems) if problems else CONFIGURED_MESSAGE,
            now=now,
        )
    planned["conditions"] = conditions
    return planned


def failed_status(
    status: Mapping[str, Any] | None, *, message: str, now: datetime
) -> dict[str, Any]:
    """Return an add-on's status when its rights could not be granted."""
    planned = dict(status or {})
    planned["conditions"] = with_condition(
        planned.get("conditions") or [],
        type=REGISTRATION_APPLIED,
        status="False",
        reason=REASON_PERMISSION_FAILED,
        message=message,
        now=now,
    )
    return planned
