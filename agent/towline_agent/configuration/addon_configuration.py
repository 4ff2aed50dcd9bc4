"""Applying an add-on's configuration: the shell that gathers, plans, carries out and tells.

Level-triggered: each pass reads the hub and the managed cluster as they are and moves the one
toward the other. A pass may end between any two writes; the next one goes on from there.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from towline_agent.applying.applier import Applier, Failure
from towline_agent.applying.install_namespaces import InstallNamespaces
from towline_agent.applying.ownership import Owner
from towline_agent.applying.plan import Manifest, Plan, plan
from towline_agent.configuration.plan import Desired, desired_configuration
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.configuration.sources import ConfigurationSources, Resolved
from towline_api.addon_codec import AddonCodec
from towline_api.addons import ManagedClusterAddon
from towline_api.errors import TransientError
from towline_api.resources import ADDON_DEPLOYMENT_CONFIGS, CONFIG_MAPS
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.controller import DONE, Controller, Result
from towline_kube.errors import NotFound
from towline_kube.merge_patch import is_applied
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

LOOK_AGAIN_AT_TROUBLE = timedelta(minutes=1)
"""What stands in the way may belong to others, whose changes we do not watch."""


class AddonConfiguration:
    """Keeps one add-on's configuration in force on the managed cluster.

    Args:
        owner: The add-on.
        hub: The hub, under the add-on's own credential.
        codec: Of the API version the hub serves.
        spoke: The managed cluster.
        namespaces: What is there of ours.
        find_addon: Returns the add-on as the hub describes it now; None while it is unknown.
        on_outcome: Told how the configuration stands after each pass.
        clock: Time.
    """

    def __init__(
        self,
        *,
        owner: Owner,
        hub: Client,
        codec: AddonCodec,
        spoke: Client,
        namespaces: InstallNamespaces,
        find_addon: Callable[[], ManagedClusterAddon | None],
        on_outcome: Callable[[ConfigurationOutcome], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._owner = owner
        self._namespaces = namespaces
        self._find_addon = find_addon
        self._on_outcome = on_outcome
        self._applier = Applier(spoke)
        self._sources = ConfigurationSources(
            hub, cluster=owner.cluster, codec=codec, on_change=self.look_again, clock=clock
        )
        self._controller: Controller[str] = Controller(
            f"configure-addon/{owner.addon}", self._reconcile, clock=clock
        )
        self.look_again()

    def look_again(self) -> None:
        """Have another pass: the add-on, or what is on the managed cluster, may have changed."""
        self._controller.enqueue(self._owner.addon)

    async def run(self) -> NoReturn:
        """Keep the configuration in force until cancelled; what is applied then stays."""
        async with TaskGroup() as group:
            group.create_task(self._sources.run(), name=f"watch-configuration/{self._owner.addon}")
            group.create_task(self._controller.run(), name=f"configure-addon/{self._owner.addon}")
        raise AssertionError("unreachable: both tasks are endless")

    async def _reconcile(self, _: str) -> Result:
        addon = self._find_addon()
        # Whoever deletes an add-on may still need what it was configured with.
        if addon is None or addon.is_being_deleted:
            return DONE
        await self._sources.follow(addon)
        config_maps = self._sources.config_maps()
        if config_maps is None or self._is_blind(addon.install_namespace):
            return DONE
        resolved = [
            item
            for reference in addon.config_references
            if (item := self._sources.resolve(reference)) is not None
        ]
        in_effect, elsewhere = self._sort(resolved)
        desired = desired_configuration(
            config_maps,
            owner=self._owner,
            namespace=addon.install_namespace,
            deployment_config=in_effect.found if in_effect else None,
            referenced=[item.found for item in elsewhere],
        )
        planned = await self._plan(desired)
        failures = await self._carry_out(planned, namespace=addon.install_namespace)
        self._on_outcome(_outcome(addon, resolved, desired, planned, failures))
        return self._next_look(planned, failures)

    def _is_blind(self, namespace: str) -> bool:
        """Return whether what is on the managed cluster cannot be told; say why if it stays so."""
        if self._namespaces.find_synced(CONFIG_MAPS, namespace) is not None:
            return False
        trouble = self._namespaces.trouble(CONFIG_MAPS, namespace)
        if trouble:
            self._on_outcome(ConfigurationOutcome(troubles=(trouble,), is_serving=False))
        return True

    def _sort(self, resolved: list[Resolved]) -> tuple[Resolved | None, list[Resolved]]:
        """Return the AddOnDeploymentConfig in effect, and the ConfigMaps outside our namespace."""
        in_effect = next(
            (item for item in resolved if item.resource == ADDON_DEPLOYMENT_CONFIGS), None
        )
        elsewhere = [
            item
            for item in resolved
            if item.resource == CONFIG_MAPS
            and item.reference.desired.key.namespace != self._owner.cluster
        ]
        return in_effect, elsewhere

    async def _plan(self, desired: Desired) -> Plan:
        live = await self._applier.look_up(desired.manifests, self._namespaces.ours(CONFIG_MAPS))
        return plan(desired.manifests, live, self._owner, is_applied=is_applied, keep=desired.keep)

    async def _carry_out(self, planned: Plan, *, namespace: str) -> tuple[Failure, ...]:
        failures = await self._applier.carry_out(planned)
        # Applying to a namespace that is not there is the only way to find nothing.
        is_missing = any(isinstance(failure.error, NotFound) for failure in failures)
        if is_missing and await self._namespaces.make_namespace(namespace):
            failures = await self._applier.carry_out(planned)
        return failures

    def _next_look(self, planned: Plan, failures: tuple[Failure, ...]) -> Result:
        for failure in failures:
            if isinstance(failure.error, TransientError) or failure.is_stale:
                raise failure.error
        if failures or planned.conflicts:
            return Result(look_again_in=LOOK_AGAIN_AT_TROUBLE)
        return DONE


def _outcome(
    addon: ManagedClusterAddon,
    resolved: list[Resolved],
    desired: Desired,
    planned: Plan,
    failures: tuple[Failure, ...],
) -> ConfigurationOutcome:
    """Sum a pass up: what is in force now, what stands in the way, what is still to come."""
    failed = {failure.target for failure in failures} | set(planned.waiting)
    not_in_force = {problem.source for problem in desired.problems}
    not_in_force |= {conflict.source for conflict in planned.conflicts}
    not_in_force |= {m.source for m in desired.manifests if m.target in failed}
    handled = {item.reference for item in resolved}
    troubles = [str(problem) for problem in desired.problems]
    troubles += [f"{c.source} cannot become {c.target}: {c.reason}" for c in planned.conflicts]
    troubles += [_explain(failure, desired.manifests) for failure in failures]
    awaited = [item.awaited for item in resolved if item.awaited]
    awaited += [f"{target} is still being deleted" for target in planned.waiting]
    awaited += [
        f"{reference.kind} {reference.desired.key} is for the add-on's own process to apply"
        for reference in addon.config_references
        if reference not in handled and not reference.is_applied
    ]
    return ConfigurationOutcome(
        applied=frozenset(
            item.reference
            for item in resolved
            if not item.awaited and item.source not in not_in_force
        ),
        troubles=tuple(troubles),
        awaited=tuple(awaited),
        is_serving=not failures,
        namespace=addon.install_namespace,
    )


def _explain(failure: Failure, manifests: tuple[Manifest, ...]) -> str:
    if isinstance(failure.error, NotFound):
        namespace = failure.target.key.namespace
        return (
            f"namespace {namespace} does not exist on the managed cluster, and this agent may not "
            f"create it; create it to have {failure.target} applied"
        )
    source = next((m.source for m in manifests if m.target == failure.target), None)
    return f"{source} cannot become {failure}" if source else str(failure)
