"""All add-ons of one managed cluster: which there are, what each needs, what the hub is told."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from towline_agent.addons.home import AddonHome, Side, side_of
from towline_agent.addons.leases import AddonLeases, out_of_sight
from towline_agent.addons.leftovers import KINDS
from towline_agent.addons.runner import AddonRunner, Surroundings
from towline_agent.addons.status import AddonFacts, agent_status
from towline_agent.applying.install_namespaces import Corner
from towline_agent.applying.ownership import Owner
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.cluster_session import ClusterSession
from towline_agent.clusters.view import ClusterView
from towline_agent.running.task_set import TaskSet
from towline_agent.station.addon_station import AddonProcess
from towline_agent.station.overview import AddonOverview
from towline_api.addon_codec import AddonCodec
from towline_api.addons import KubeClientDriver, ManagedClusterAddon
from towline_api.condition_types import TOKEN_INFRASTRUCTURE_READY, find_service_account_uid
from towline_api.conditions import ConditionStatus, find_condition
from towline_api.errors import WireError
from towline_api.metadata import name_of
from towline_api.names import ADDON_NAMESPACE
from towline_api.resources import CONFIG_MAPS, LEASES, KubeObject
from towline_kube.addon_api import wait_for_codec
from towline_kube.cache import Cache
from towline_kube.client import Call, Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.controller import DONE, Controller, Result
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=5)
"""The hub's address and CA may change without an event that an add-on would see."""
_REPORT_DELAY = timedelta(milliseconds=100)
"""How long a report waits for more to say: credential, configuration and Lease of an add-on come
one right after the other. It also lets our last write come back, which would conflict otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonOptions:
    """What the settings say about add-ons.

    Args:
        namespaces: Where add-ons may be installed: where the agent looks for what an earlier
            process made, if it may not look everywhere.
        lifetime: Lifetime to ask for in their certificates; None leaves it to the signer.
        tokens: Lifetime of the tokens with which they come in at the hub; None for certificates.
        elsewhere: Add-ons with a process of their own, which applies their configuration and
            renews their Lease. The agent does both for all others.
        processes: Add-ons whose own code runs in this process.
        hosting_namespaces: The same as `namespaces`, on the hosting cluster.
    """

    namespaces: frozenset[str] = frozenset({ADDON_NAMESPACE})
    lifetime: timedelta | None = None
    tokens: timedelta | None = None
    elsewhere: frozenset[str] = frozenset()
    processes: Mapping[str, AddonProcess] = field(default_factory=dict)
    hosting_namespaces: frozenset[str] = frozenset({ADDON_NAMESPACE})


async def run_addons(
    session: ClusterSession, *, options: AddonOptions, clock: Clock = SYSTEM_CLOCK
) -> NoReturn:
    """Serve the add-ons of a managed cluster, once its hub has accepted it, until cancelled.

    Args:
        session: The cluster's stay at its hub.
        options: What the settings say.
        clock: Time.
    """
    bell = session.view.subscribe()
    hub = await session.channel.wait_ready()
    # Before, there is nothing we may see.
    while session.view.accepted_cluster is None:
        await bell.wait()
        bell.clear()
    addons = Addons(
        cluster=session.identity.cluster,
        channel=session.channel,
        hub=hub,
        spoke=session.spoke,
        hosting=session.hosting,
        view=session.view,
        options=options,
        codec=await wait_for_codec(hub, clock=clock),
        on_hub_call=session.on_hub_call,
        clock=clock,
    )
    session.overlook_addons = addons.overview
    await addons.run()


class Addons:
    """The add-ons of one managed cluster; see `run_addons`."""

    def __init__(
        self,
        *,
        cluster: str,
        channel: HubChannel,
        hub: Client,
        spoke: Client,
        view: ClusterView,
        options: AddonOptions,
        codec: AddonCodec,
        hosting: Client | None = None,
        on_hub_call: Callable[[Call], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._cluster = cluster
        self._hub = hub
        self._view = view
        self._options = options
        self._codec = codec
        self._clock = clock
        self._addons = Cache(
            hub, self._codec.managed_cluster_addons, namespace=cluster, clock=clock
        )
        clients = {Side.MANAGED: (spoke, options.namespaces)}
        if hosting is not None:
            clients[Side.HOSTING] = (hosting, options.hosting_namespaces)
        self._homes = {
            side: AddonHome(
                side,
                client,
                cluster=cluster,
                namespaces=namespaces,
                on_change=self._on_home_change,
                clock=clock,
            )
            for side, (client, namespaces) in clients.items()
        }
        self._leases = AddonLeases(hub, cluster=cluster, on_change=self._on_hub_leases, clock=clock)
        self._around = Surroundings(
            cluster=cluster,
            channel=channel,
            codec=codec,
            spoke=spoke,
            lifetime=options.lifetime,
            tokens=options.tokens,
            on_hub_call=on_hub_call,
            clock=clock,
        )
        self.runners: dict[str, AddonRunner] = {}
        """What serves each add-on, by its name."""
        self._tasks: TaskSet[str] = TaskSet(clock=clock)
        self._found_at: dict[str, AddonHome] = {}
        # Add-ons of which nothing is left on a cluster that their agent ran on before.
        self._moved_in: set[str] = set()
        # One at a time: the set of namespaces to watch follows from all add-ons together.
        self._serve = Controller("serve-addons", self._serve_one, clock=clock)
        self._report = Controller("report-addons", self._report_one, concurrency=4, clock=clock)
        self._serve.feed_from(self._addons, lambda obj: (name_of(obj),))
        self._addons.on_change(lambda change: self._report_soon(name_of(change.object)))

    async def run(self) -> NoReturn:
        """Serve the add-ons until cancelled."""
        async with TaskGroup() as group:
            for work, name in (
                (self._addons.run(), "watch-addons"),
                (self._leases.run(), "watch-hub-leases"),
                (self._tasks.run(), "run-addons"),
                (self._serve.run(), "serve-addons"),
                (self._report.run(), "report-addons"),
                (self._look_for_orphans(), "find-orphaned-addons"),
                (self._follow_cluster(), "follow-cluster"),
            ):
                group.create_task(work, name=f"{name}/{self._cluster}")
            for side, home in self._homes.items():
                group.create_task(home.run(), name=f"watch-install-namespaces/{side}")
        raise AssertionError("unreachable: the tasks are endless")

    def overview(self) -> tuple[AddonOverview, ...]:
        """Return how each add-on is at this moment."""
        return tuple(runner.overview() for _, runner in sorted(self.runners.items()))

    async def _serve_one(self, name: str) -> Result:
        addon = self._find(name)
        for home in self._homes.values():
            await home.namespaces.want(
                {each.install_namespace for each in self._all() if self._home_of(each) is home}
            )
        if addon is None:
            await self._remove(name)
            return DONE
        home_now = self._home_of(addon)
        if home_now is None:
            log.info(
                "add-on is hosted on another cluster; leaving it alone",
                extra={"addon": name, "reason": addon.hosting_cluster or ""},
            )
            await self._stop(name)
            return DONE
        home_now.former_namespaces.add(addon.install_namespace)
        runner = self.runners.get(name)
        if addon.is_being_deleted and (runner is not None or not self._cleans_up(name)):
            # Whatever cleans up after it may need its credential, and what it was configured with.
            if runner is not None:
                runner.view.ring()
            return DONE
        if runner is not None and runner.home is not home_now:
            self._moved_in.discard(name)
            await self._stop(name)
            runner = None
        if runner is None:
            runner = self._start(name, home_now)
        await runner.follow(addon)
        await self._clear_former_home(runner, name)
        return Result(look_again_in=LOOK_AGAIN)

    async def _clear_former_home(self, runner: AddonRunner, name: str) -> None:
        """Remove what is left of an add-on where its agent does not run any more.

        Not before it has its credentials where the agent runs now, as everywhere.
        """
        if name in self._moved_in or not runner.are_credentials_earned:
            return
        # What an add-on's own code applied to the managed cluster belongs there in either case.
        applies = name in self._options.processes
        kinds = [kind for kind in KINDS if not (applies and kind == CONFIG_MAPS)]
        for home in self._homes.values():
            if home is not runner.home:
                await home.leftovers.remove(Owner(self._cluster, name), kinds=kinds)
        self._moved_in.add(name)

    async def _report_one(self, name: str) -> Result:
        obj, addon = self._addons.find(name, self._cluster), self._find(name)
        runner = self.runners.get(name)
        if obj is None or addon is None:
            return DONE
        home = self._home_of(addon)
        if addon.is_being_deleted:
            await self._report_removal(obj, runner)
            return DONE
        if home is None:
            await self._report_out_of_sight(obj, addon)
            return DONE
        says, until = await self._leases.look(addon, home)
        facts = AddonFacts(
            rotation=runner.rotation() if runner else None,
            availability=says,
            outcome=runner.outcome if runner else None,
            refresh=runner.refresh() if runner else None,
            code=runner.code.report() if runner and name in self._options.processes else None,
        )
        tokens = self._options.tokens is not None
        status = agent_status(
            obj,
            facts,
            cluster=self._view.cluster,
            codec=self._codec,
            now=self._clock.now(),
            driver=KubeClientDriver.TOKEN if tokens else KubeClientDriver.CSR,
        )
        await self._hub.patch_status(self._codec.managed_cluster_addons, obj, status)
        return Result(look_again_in=until)

    async def _report_removal(self, obj: KubeObject, runner: AddonRunner | None) -> None:
        """Say how the code fares that an add-on runs when it goes, and nothing else."""
        if runner is not None and self._cleans_up(name_of(obj)):
            facts = AddonFacts(code=runner.code.report())
            now = self._clock.now()
            status = agent_status(obj, facts, cluster=None, codec=self._codec, now=now, driver=None)
            await self._hub.patch_status(self._codec.managed_cluster_addons, obj, status)

    async def _report_out_of_sight(self, obj: KubeObject, addon: ManagedClusterAddon) -> None:
        """Say that nobody here can tell how an add-on is."""
        facts = AddonFacts(availability=out_of_sight(addon))
        cluster, now = self._view.cluster, self._clock.now()
        status = agent_status(obj, facts, cluster=cluster, codec=self._codec, now=now, driver=None)
        await self._hub.patch_status(self._codec.managed_cluster_addons, obj, status)

    def _home_of(self, addon: ManagedClusterAddon) -> AddonHome | None:
        side = side_of(addon, is_hosted=Side.HOSTING in self._homes)
        return None if side is None else self._homes[side]

    def _start(self, name: str, home: AddonHome) -> AddonRunner:
        runner = self.runners[name] = AddonRunner(
            name,
            around=self._around,
            home=home,
            find=lambda: self._find(name),
            on_change=lambda: self._on_runner_change(name),
            process=self._process_of(name, home),
            find_account_uid=lambda: self._find_account_uid(name),
        )
        self._tasks.start(name, runner.run, name=f"run-addon/{name}")
        return runner

    def _find_account_uid(self, name: str) -> str | None:
        """Return the UID of an add-on's service account, once the hub says that it is ready."""
        obj = self._addons.find(name, self._cluster)
        ready = find_condition(obj, TOKEN_INFRASTRUCTURE_READY) if obj is not None else None
        if ready is None or ready.status is not ConditionStatus.TRUE:
            return None
        return find_service_account_uid(ready.message)

    def _process_of(self, name: str, home: AddonHome) -> AddonProcess | None:
        if name in self._options.processes:
            return self._options.processes[name]
        return None if name in self._options.elsewhere else home.standard

    async def _stop(self, name: str) -> None:
        self.runners.pop(name, None)
        await self._leases.forget(name)
        await self._tasks.stop(name)

    def _cleans_up(self, name: str) -> bool:
        process = self._options.processes.get(name)
        return process is not None and process.cleans_up

    async def _remove(self, name: str) -> None:
        runner = self.runners.get(name)
        if self._cleans_up(name) and not (runner is not None and runner.is_cleaned_up):
            # It is removed once its own code has said that it is done; marks of it stay until then.
            where = self._found_at.get(name, self._homes[Side.MANAGED])
            (runner or self._start(name, where)).view.ring()
            return
        await self._stop(name)
        self._moved_in.discard(name)
        for home in self._homes.values():
            await home.leftovers.remove(Owner(self._cluster, name))
        log.info("add-on is gone; nothing of it is left", extra={"addon": name})

    async def _look_for_orphans(self) -> NoReturn:
        """Have add-ons removed that went while no agent was there to see it."""
        await self._addons.wait_synced()
        found: Controller[str] = Controller(
            "find-orphaned-addons", self._find_orphans, clock=self._clock
        )
        found.enqueue(self._cluster)
        await found.run()

    async def _find_orphans(self, _: str) -> Result:
        for home in self._homes.values():
            for name in await home.leftovers.addons():
                if self._addons.find(name, self._cluster) is None:
                    self._found_at[name] = home
                    self._serve.enqueue(name)
        return DONE

    async def _follow_cluster(self) -> NoReturn:
        """Have another look at all add-ons when the hub's opinion of the cluster changes."""
        bell = self._view.subscribe()
        while True:
            await bell.wait()
            bell.clear()
            for obj in self._addons.list():
                self._report_soon(name_of(obj))

    def _on_runner_change(self, name: str) -> None:
        self._serve.enqueue(name)
        self._report_soon(name)

    def _report_soon(self, name: str) -> None:
        self._report.enqueue(name, after=_REPORT_DELAY)

    def _on_hub_leases(self) -> None:
        for addon in self._all():
            self._report_soon(addon.name)

    def _on_home_change(self, home: AddonHome, corner: Corner) -> None:
        for addon in self._all():
            if self._home_of(addon) is not home or addon.install_namespace != corner.namespace:
                continue
            if corner.resource == LEASES:
                self._report_soon(addon.name)
            elif addon.name in self.runners:
                self.runners[addon.name].view.ring()

    def _find(self, name: str) -> ManagedClusterAddon | None:
        obj = self._addons.find(name, self._cluster)
        return None if obj is None else self._codec.decode_addon(obj)

    def _all(self) -> Iterable[ManagedClusterAddon]:
        for obj in self._addons.list():
            addon = self._decode(obj)
            if addon is not None:
                yield addon

    def _decode(self, obj: KubeObject) -> ManagedClusterAddon | None:
        try:
            return self._codec.decode_addon(obj)
        except WireError:
            # Its own pass says so; the others go on without it.
            return None
