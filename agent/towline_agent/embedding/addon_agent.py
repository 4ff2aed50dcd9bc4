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
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, NoReturn, Self, cast, overload

from pydantic import BaseModel, ValidationError
from typing_extensions import TypeVar

from towline_agent import daemon
from towline_agent.addons.cluster_addons import AddonOptions, run_addons
from towline_agent.channel.contact import both
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.cluster_session import ClusterSession
from towline_agent.embedding.embedded_process import AddonTask, EmbeddedProcess, HubTask, SpokeTask
from towline_agent.embedding.mounted_station import StationObservers, work_behind_agent
from towline_agent.embedding.removal import REMOVAL_LIMIT, RemovalFunction
from towline_agent.embedding.settings import AddonSettings
from towline_agent.handling.handled_sources import (
    AnyHandler,
    ClusterNamespace,
    ConfigurationHandler,
    NamedSubscription,
    Subscription,
)
from towline_agent.handling.spoke_scope import SpokeScope
from towline_agent.health.registration import AnyHealthCheck, HealthDecorator, register_check
from towline_agent.health.rounds import CHECK_LIMIT, RegisteredCheck
from towline_agent.station.registered_functions import check_function
from towline_agent.station.spoke_access import Spoke
from towline_agent.station.user_code import Role, UserFunction, function_name
from towline_api import resources
from towline_api.dns_names import is_dns_label, is_dns_subdomain
from towline_api.errors import ConfigError, TowlineError
from towline_api.resources import CONFIG_MAPS, Resource
from towline_certs.identities import check_addon_name
from towline_kube.logs import configure_logging
from towline_kube.running_beside import running_beside
from towline_kube.settings import load
from towline_kube.task_groups import TaskGroup
from towline_kube.termination import told_to_end

_KNOWN = {
    resource.qualified: resource
    # Of a kind in several versions it is the stored one, which stands first; what is served in no
    # other version than a newer one is watched in that.
    for resource in reversed(vars(resources).values())
    if isinstance(resource, Resource)
}


S = TypeVar("S", bound=AddonSettings, default=AddonSettings, covariant=True)
M = TypeVar("M", bound=BaseModel)
H = TypeVar("H", bound=AnyHealthCheck)


class AddonAgent(Generic[S]):
    """One add-on's agent: what its own code registers, run over the channel to the hub.

    Use `run` for a program of its own, or `async with` inside another program's event loop. What
    the add-on's code raises is logged with its context and tried again with growing delays; it
    never brings the channel down.

    Args:
        name: Name of the add-on.
        settings: For `async with`; by default those of the environment. `run` reads its own.
        settings_class: What settings the program has: `AddonSettings`, or a subclass with fields of
            its own, which are flags, variables and lines of the settings file like all others.

    Raises:
        IdentityError: No add-on can have that name.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: S | None = None,
        settings_class: type[S] | None = None,
    ) -> None:
        check_addon_name(name)
        self.name = name
        given = AddonSettings if settings is None else type(settings)
        self._settings_class = cast("type[S]", settings_class or given)
        self._settings = settings
        self._subscriptions: list[Subscription | NamedSubscription] = []
        self._on_removed: list[RemovalFunction] = []
        self._checks: list[RegisteredCheck] = []
        self._tasks: list[AddonTask] = []
        self._served: AbstractAsyncContextManager[None] | None = None

    @property
    def settings(self) -> S:
        """The settings of the program.

        Raises:
            RuntimeError: The agent was made without and does not run yet; read them in the
                functions that are registered.
        """
        if self._settings is None:
            raise RuntimeError(
                f"the settings of add-on {self.name} are not known before its agent runs; read "
                "them inside of the registered functions"
            )
        return self._settings

    @property
    def settings_class(self) -> type[S]:
        """What settings the program has."""
        return self._settings_class

    @property
    def cluster_namespace(self) -> ClusterNamespace:
        """The cluster's namespace on the hub, for `configuration`."""
        return ClusterNamespace()

    @overload
    def configuration(
        self,
        resource: str | Resource,
        *,
        namespace: str | ClusterNamespace | None = None,
        applies: Sequence[Resource] = (CONFIG_MAPS,),
        applies_in: Sequence[str] = (),
        model: None = None,
    ) -> Callable[[ConfigurationHandler], ConfigurationHandler]: ...

    @overload
    def configuration(
        self,
        resource: str | Resource,
        *,
        model: type[M],
        namespace: str | ClusterNamespace | None = None,
        applies: Sequence[Resource] = (CONFIG_MAPS,),
        applies_in: Sequence[str] = (),
    ) -> Callable[
        [Callable[[M, SpokeScope], Awaitable[object]]],
        Callable[[M, SpokeScope], Awaitable[object]],
    ]: ...

    def configuration(
        self,
        resource: str | Resource,
        *,
        namespace: str | ClusterNamespace | None = None,
        applies: Sequence[Resource] = (CONFIG_MAPS,),
        applies_in: Sequence[str] = (),
        model: type[BaseModel] | None = None,
    ) -> Callable[[Any], Any]:
        """Register what brings configuration of the hub into force; use as a decorator.

        The function is called with each object (a copy of its own) and a `SpokeScope`, at start
        and at every change. What it applied is removed when the object goes or a later call no
        longer applies it; what others change about it is put right. How it went is reported on the
        hub. What the function raises leaves in force what was applied before; it is called again
        after a while, unless it was an `InvalidConfigurationError`.

        Args:
            resource: Kind of the objects, as kubectl writes it: `configmaps`,
                `addondeploymentconfigs.addon.open-cluster-management.io`, any other that the hub
                serves; or a `Resource`.
            namespace: Where they are on the hub; None for the objects of that kind that the
                add-on's configuration refers to, each in just the state that the hub desires.
            applies: The kinds that the function applies.
            applies_in: Namespaces it applies to beside the add-on's install namespace.
            model: A pydantic model that the object's `spec` has to fit (`data` of ConfigMaps and
                Secrets); the function is called with the model instead of the object. What does
                not fit is told field by field, and the function is not called.

        Raises:
            ValueError: No kind can have that name, or the model is none.
            TypeError: What is decorated cannot be called: it has to be asynchronous.
        """
        kind = _KNOWN.get(resource) if isinstance(resource, str) else resource
        name = resource if isinstance(resource, str) else resource.qualified
        if not _is_kind_name(name):
            raise ValueError(
                f"{name!r} is not the name of a kind: expected the plural and the group, such as "
                "`widgets.example.com`"
            )
        kinds, places = tuple(applies), tuple(applies_in)

        def register(handler: AnyHandler) -> AnyHandler:
            check_function(
                handler,
                decorator="agent.configuration",
                takes=(2,),
                example="async def apply(config, spoke)",
            )

            def subscribe(resolved: Resource) -> Subscription:
                return Subscription(resolved, namespace, handler, kinds, places, model)

            self._subscriptions.append(
                NamedSubscription(name, subscribe, kinds, places)
                if kind is None
                else subscribe(kind)
            )
            return handler

        return register

    @overload
    def health(
        self, check: H, *, timeout: timedelta = CHECK_LIMIT, name: str | None = None
    ) -> H: ...

    @overload
    def health(
        self, *, timeout: timedelta = CHECK_LIMIT, name: str | None = None
    ) -> HealthDecorator: ...

    def health(
        self,
        check: Any = None,
        *,
        timeout: timedelta = CHECK_LIMIT,
        name: str | None = None,
    ) -> Any:
        """Register a health check; use as a decorator, with or without arguments, or call it.

        The add-on's Lease is renewed only while every check is passed. They are asked all at once
        before each renewal, and every ten seconds while one fails. A check is called with the
        `Spoke`, or without arguments. It passes by returning True in time; it says what is wrong by
        raising `UnhealthyError`, or anything else.

        Args:
            check: The check: an asynchronous function, `ApiServerLives()`, `PodsReady(...)`.
            timeout: How long it may take; more than 0, at most a minute.
            name: What logs, metrics and conditions call it; by default as the function is called.

        Raises:
            TypeError: It is not asynchronous, or takes other arguments.
            ValueError: The time is too short or too long.
        """

        def register(function: AnyHealthCheck) -> AnyHealthCheck:
            taken = {known.function.name for known in self._checks}
            registered = register_check(function, timeout=timeout, name=name, taken=taken)
            self._checks.append(registered)
            return function

        return register if check is None else register(check)

    @overload
    def task(self, task: HubTask) -> HubTask: ...

    @overload
    def task(self, task: SpokeTask) -> SpokeTask: ...

    def task(self, task: Any) -> Any:
        """Register work that begins once the channel is up; use as a decorator.

        It is called with the `HubChannel`, whose client stays the same through every rotation, and
        with the `Spoke` if it takes two arguments. It may end by itself; if it fails it is started
        again after a while.

        Raises:
            TypeError: It is not asynchronous, or takes other arguments.
        """
        count = check_function(
            task,
            decorator="agent.task",
            takes=(2, 1),
            example="async def work(hub: HubChannel, spoke: Spoke)",
        )

        async def work(hub: HubChannel, spoke: Spoke) -> None:
            await (task(hub, spoke) if count == 2 else task(hub))

        self._tasks.append(AddonTask(work, UserFunction(Role.TASK, function_name(task))))
        return task

    def on_removed(self, function: RemovalFunction) -> RemovalFunction:
        """Register what is to be done when the add-on is removed; use as a decorator.

        It is called with a `Removal` when the ManagedClusterAddOn is being deleted, while the
        channel still works, or is gone. If it fails it is called again, until it succeeds or the
        setting `removal_limit` is over. A process that was restarted meanwhile calls it again, so
        it has to bear being called twice. What the configuration functions applied needs no
        attention: that is removed afterwards in any case.

        Raises:
            TypeError: It is not asynchronous, or takes other arguments.
        """
        check_function(
            function,
            decorator="agent.on_removed",
            takes=(1,),
            example="async def clean_up(removal: Removal)",
        )
        self._on_removed.append(function)
        return function

    def run(self, arguments: Sequence[str] | None = None) -> None:
        """Run as a program until SIGTERM or SIGINT, with settings from flags, environment and file.

        What the settings get wrong is said in one line, and ends the program with status 1.

        Args:
            arguments: The flags; by default those this process was started with.
        """
        try:
            settings = load(
                self._settings_class,
                sys.argv[1:] if arguments is None else arguments,
                prog=self.name,
            )
            configure_logging(settings.log_format, settings.log_level)
            asyncio.run(self._run_until_signal(settings))
        except TowlineError as error:
            sys.exit(f"{self.name}: {error}")

    def process(self) -> EmbeddedProcess:
        """Return everything that was registered, to be run by whoever has a channel for it."""
        settings = self._settings
        return EmbeddedProcess(
            tuple(self._subscriptions),
            tuple(self._checks),
            tuple(self._tasks),
            None if settings is None else settings.addon_namespace,
            tuple(self._on_removed),
            REMOVAL_LIMIT if settings is None else settings.removal_limit,
        )

    async def serve(self, stop: asyncio.Event, *, settings: AddonSettings | None = None) -> None:
        """Run inside a running event loop until `stop` is set. Leaves no task behind.

        Args:
            stop: Ends the agent when set.
            settings: By default those the agent was made with, else those of the environment.

        Raises:
            ConfigError: The settings name something that cannot be used.
        """
        if settings is not None:
            self._settings = _as_class(settings, self._settings_class)
        elif self._settings is None:
            self._settings = load(self._settings_class, ())
        settings = self._settings
        process = self.process()
        if settings.is_standalone:
            await self._serve_whole_cluster(process, settings, stop)
            return
        try:
            async with TaskGroup() as group:
                work = group.create_task(
                    self._work_behind_agent(process, settings),
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
        self._served = running_beside(self.serve(asyncio.Event()), name=f"embed-addon/{self.name}")
        await self._served.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop serving; return once nothing of it runs any more."""
        served, self._served = self._served, None
        if served is not None:
            await served.__aexit__(kind, error, traceback)

    async def _run_until_signal(self, settings: AddonSettings) -> None:
        with told_to_end() as stop:
            await self.serve(stop, settings=settings)

    async def _work_behind_agent(
        self, process: EmbeddedProcess, settings: AddonSettings
    ) -> NoReturn:
        if settings.listen is None:
            await work_behind_agent(self.name, process, settings=settings)
        # Here, because a program that serves nothing needs no HTTP server and no metrics.
        from towline_agent.embedding.mounted_overview import LookedProcess
        from towline_agent.status.endpoint import AgentEndpoint

        looked = LookedProcess(self.name, process, store=f"file {settings.hub_kubeconfig}")
        async with AgentEndpoint(settings.listen) as endpoint:
            endpoint.look_at(looked)
            observers = StationObservers(
                on_hub_call=both(endpoint.count_hub_call, looked.observers.on_hub_call),
                on_spoke_call=endpoint.count_spoke_call,
                on_hosting_call=endpoint.count_hosting_call,
                on_channel=looked.observers.on_channel,
            )
            await work_behind_agent(self.name, looked, settings=settings, observers=observers)
        raise AssertionError("unreachable: the work is endless")

    async def _serve_whole_cluster(
        self, process: EmbeddedProcess, settings: AddonSettings, stop: asyncio.Event
    ) -> None:
        options = AddonOptions(
            namespaces=frozenset(settings.addon_namespaces),
            lifetime=settings.client_cert_expiration,
            tokens=settings.addon_tokens,
            elsewhere=frozenset(settings.addons_elsewhere),
            processes={self.name: process},
            hosting_namespaces=frozenset(settings.hosting_addon_namespaces),
        )

        async def serve_addons(session: ClusterSession) -> None:
            await run_addons(session, options=options)

        await daemon.run(settings, stop, parts={"serve-addons": serve_addons})


def _as_class(settings: AddonSettings, wanted: type[S]) -> S:
    """Return settings as a program's own, with the defaults of what they do not have.

    Raises:
        ConfigError: There is something without a default.
    """
    if isinstance(settings, wanted):
        return settings
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    try:
        return wanted(**given)
    except ValidationError as error:
        missing = ", ".join(str(detail["loc"][0]) for detail in error.errors() if detail["loc"])
        raise ConfigError(f"settings of {wanted.__name__} need {missing} as well") from None


def _is_kind_name(name: str) -> bool:
    plural, dot, group = name.partition(".")
    return is_dns_label(plural) and (not dot or is_dns_subdomain(group))


def _first(failures: BaseExceptionGroup[ConfigError]) -> ConfigError:
    error = failures.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
