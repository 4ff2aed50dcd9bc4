"""The agent of an add-on inside the add-on's own program.

::

    agent = AddonAgent("helloworld")


    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config, spoke):
        await spoke.apply(local_copy(config))


    if __name__ == "__main__":
        agent.run()

The program runs behind whatever agent keeps the add-on's credential in a mounted Secret, or, given
a bootstrap kubeconfig, is its cluster's whole agent by itself. The code is the same.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from towline_agent import daemon
from towline_agent.addon_settings import AddonSettings
from towline_agent.addons import AddonOptions, run_addons
from towline_agent.cluster_session import ClusterSession
from towline_agent.embedded_process import AddonTask, EmbeddedProcess, HealthCheck
from towline_agent.handled_sources import ClusterNamespace, ConfigurationHandler, Subscription
from towline_agent.mounted_station import work_behind_agent
from towline_api import resources
from towline_api.errors import ConfigError, TowlineError
from towline_api.resources import CONFIG_MAPS, Resource
from towline_certs.identities import check_addon_name
from towline_kube.logs import configure_logging
from towline_kube.settings import load
from towline_kube.task_groups import TaskGroup

_KNOWN = {
    resource.qualified: resource
    # Of a kind in several versions it is the stored one, which stands first; what is served in no
    # other version than a newer one is watched in that.
    for resource in reversed(vars(resources).values())
    if isinstance(resource, Resource)
}


class AddonAgent:
    """One add-on's agent: what its own code registers, run over the channel to the hub.

    Use `run` for a program of its own, or `async with` inside another program's event loop. What
    the add-on's code raises is logged with its context and tried again with growing delays; it
    never brings the channel down.

    Args:
        name: Name of the add-on.
        settings: For `async with`; by default those of the environment. `run` reads its own.

    Raises:
        IdentityError: No add-on can have that name.
    """

    def __init__(self, name: str, *, settings: AddonSettings | None = None) -> None:
        check_addon_name(name)
        self.name = name
        self._settings = settings
        self._subscriptions: list[Subscription] = []
        self._checks: list[HealthCheck] = []
        self._tasks: list[AddonTask] = []
        self._group: TaskGroup | None = None
        self._running: asyncio.Task[None] | None = None

    @property
    def cluster_namespace(self) -> ClusterNamespace:
        """The cluster's namespace on the hub, for `configuration`."""
        return ClusterNamespace()

    def configuration(
        self,
        resource: str | Resource,
        *,
        namespace: str | ClusterNamespace | None = None,
        applies: Sequence[Resource] = (CONFIG_MAPS,),
    ) -> Callable[[ConfigurationHandler], ConfigurationHandler]:
        """Register what brings configuration of the hub into force; use as a decorator.

        The function is called with each object (a copy of its own) and a `SpokeScope`, at start
        and at every change. What it applied is removed when the object goes or a later call no
        longer applies it. How it went is reported on the hub.

        Args:
            resource: Kind of the objects, as kubectl writes it: `configmaps`,
                `addondeploymentconfigs.addon.open-cluster-management.io`; or a `Resource`.
            namespace: Where they are on the hub; None for the objects of that kind that the
                add-on's configuration refers to, each in just the state that the hub desires.
            applies: The kinds that the function applies.

        Raises:
            ValueError: The kind is not known by that name; pass a `Resource`.
        """
        kind = _KNOWN.get(resource) if isinstance(resource, str) else resource
        if kind is None:
            raise ValueError(f"kind {resource!r} is not known by its name; pass a Resource")

        def register(handler: ConfigurationHandler) -> ConfigurationHandler:
            self._subscriptions.append(Subscription(kind, namespace, handler, tuple(applies)))
            return handler

        return register

    def health(self, check: HealthCheck) -> HealthCheck:
        """Register a health check; use as a decorator.

        The add-on's Lease is renewed only while every check returns True, within ten seconds.
        """
        self._checks.append(check)
        return check

    def task(self, task: AddonTask) -> AddonTask:
        """Register work that begins once the channel is up; use as a decorator.

        It is called with the `HubChannel`, whose client stays the same through every rotation. It
        may end by itself; if it fails it is started again.
        """
        self._tasks.append(task)
        return task

    def run(self, arguments: Sequence[str] | None = None) -> None:
        """Run as a program until SIGTERM or SIGINT, with settings from flags, environment and file.

        What the settings get wrong is said in one line, and ends the program with status 1.

        Args:
            arguments: The flags; by default those this process was started with.
        """
        try:
            settings = load(
                AddonSettings, sys.argv[1:] if arguments is None else arguments, prog=self.name
            )
            configure_logging(settings.log_format, settings.log_level)
            asyncio.run(self._run_until_signal(settings))
        except TowlineError as error:
            sys.exit(f"{self.name}: {error}")

    async def serve(self, stop: asyncio.Event, *, settings: AddonSettings | None = None) -> None:
        """Run inside a running event loop until `stop` is set. Leaves no task behind.

        Args:
            stop: Ends the agent when set.
            settings: By default those the agent was made with, else those of the environment.

        Raises:
            ConfigError: The settings name something that cannot be used.
        """
        settings = settings or self._settings or load(AddonSettings, ())
        process = EmbeddedProcess(
            tuple(self._subscriptions),
            tuple(self._checks),
            tuple(self._tasks),
            settings.addon_namespace,
        )
        if settings.is_standalone:
            await self._serve_whole_cluster(process, settings, stop)
            return
        try:
            async with TaskGroup() as group:
                work = group.create_task(
                    work_behind_agent(self.name, process, settings=settings),
                    name=f"serve-addon/{self.name}",
                )
                await stop.wait()
                work.cancel("stop requested")
        except BaseExceptionGroup as failures:
            wrong_input = failures.subgroup(ConfigError)
            if wrong_input is None:
                raise
            raise _first(wrong_input) from None

    async def __aenter__(self) -> Self:
        """Begin to serve, beside whatever the body does; its failure cancels the body."""
        group = TaskGroup()
        await group.__aenter__()
        self._group = group
        self._running = group.create_task(
            self.serve(asyncio.Event()), name=f"embed-addon/{self.name}"
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop serving; return once nothing of it runs any more."""
        group, running = self._group, self._running
        self._group = self._running = None
        if group is not None and running is not None:
            running.cancel("the body has ended")
            if kind is None or issubclass(kind, asyncio.CancelledError):
                await group.__aexit__(kind, error, traceback)
            else:
                # The body's own error is to arrive as it is, not in a group.
                await group.__aexit__(None, None, None)

    async def _run_until_signal(self, settings: AddonSettings) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self.serve(stop, settings=settings)

    async def _serve_whole_cluster(
        self, process: EmbeddedProcess, settings: AddonSettings, stop: asyncio.Event
    ) -> None:
        options = AddonOptions(
            namespaces=frozenset(settings.addon_namespaces),
            lifetime=settings.client_cert_expiration,
            tokens=settings.addon_tokens,
            elsewhere=frozenset(settings.addons_elsewhere),
            processes={self.name: process},
        )

        async def serve_addons(session: ClusterSession) -> None:
            await run_addons(session, options=options)

        await daemon.run(settings, stop, parts={"serve-addons": serve_addons})


def _first(failures: BaseExceptionGroup[ConfigError]) -> ConfigError:
    error = failures.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
