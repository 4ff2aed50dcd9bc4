"""The hub program of one add-on, or of several.

::

    addon = Addon("helloworld", display_name="Hello World")
    addon.grants(permission.role("configmaps", verbs=["get", "list", "watch"]))

    if __name__ == "__main__":
        AddonManager(addon).run()

It does for its add-ons what a hub does, and nothing for anything else: their definitions, their
agents' registration, certificates and rights. An operator then brings the add-on to a cluster with
one ManagedClusterAddOn. It works on any hub that speaks OCM's API.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from towline_api.errors import ConfigError, TowlineError
from towline_api.resources import KubeObject
from towline_hub.addons.addon import Addon
from towline_hub.addons.declarations import AddonDeclaration, by_name
from towline_hub.addons.manager_settings import AddonManagerSettings
from towline_hub.permissions import addons_only_permissions
from towline_hub.signers.settings import SignerSettings
from towline_kube.client import Call
from towline_kube.logs import configure_logging
from towline_kube.running_beside import running_beside
from towline_kube.settings import load
from towline_kube.termination import told_to_end


class AddonManager:
    """Looks after add-ons on a hub: these, and no others.

    Use `run` for a program of its own, or `async with` inside another program's event loop. Any
    number may run in one process.

    Args:
        addons: The add-ons, at least one.
        settings: For `async with`; by default those of the environment. `run` reads its own.
        on_call: Told each call to the API server, for tests and measurements.

    Raises:
        ConfigError: There is no add-on, or two of the same name.
    """

    def __init__(
        self,
        *addons: Addon,
        settings: AddonManagerSettings | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        if not addons:
            raise ConfigError("an AddonManager needs an add-on to look after")
        self._addons = addons
        by_name(self.declarations)
        self._settings = settings
        self._on_call = on_call
        self._served: AbstractAsyncContextManager[None] | None = None

    @property
    def declarations(self) -> tuple[AddonDeclaration, ...]:
        """What the add-ons are declared to be by now."""
        return tuple(addon.declaration for addon in self._addons)

    def permissions(
        self,
        subject: KubeObject,
        *,
        namespace: str | None = None,
        signers: Sequence[SignerSettings] = (),
        approve_signers: Sequence[str] = (),
    ) -> list[KubeObject]:
        """Return the rights it has to have on the hub, for an administrator to apply.

        Args:
            subject: Who runs it: `user_subject(...)` or `service_account_subject(...)`.
            namespace: Its own, where its replicas elect their leader, and where the Secrets of its
                signers are; None if there is only one replica, and no signer.
            signers: The custom signers it plays, as its settings have them.
            approve_signers: Custom signers that somebody else plays, for which it approves.
        """
        return addons_only_permissions(
            subject,
            declarations=self.declarations,
            namespace=namespace,
            signers=signers,
            approve_signers=approve_signers,
        )

    def run(self, arguments: Sequence[str] | None = None) -> None:
        """Run as a program until SIGTERM or SIGINT, with settings from flags, environment and file.

        What the settings get wrong is said in one line, and ends the program with status 1.

        Args:
            arguments: The flags; by default those this process was started with.
        """
        prog = self._addons[0].name
        try:
            settings = load(
                AddonManagerSettings, sys.argv[1:] if arguments is None else arguments, prog=prog
            )
            configure_logging(settings.log_format, settings.log_level)
            asyncio.run(self._run_until_signal(settings))
        except TowlineError as error:
            sys.exit(f"{prog}: {error}")

    async def serve(
        self, stop: asyncio.Event, *, settings: AddonManagerSettings | None = None
    ) -> None:
        """Run inside a running event loop until `stop` is set. Leaves no task behind.

        Args:
            stop: Ends it when set; passes under way are let end.
            settings: By default those it was made with, else those of the environment.

        Raises:
            ConfigError: The settings name something that cannot be used, or what has to be on the
                hub cluster is not.
            TransientError: The API server did not answer in time at start.
        """
        # Here, so that who only declares add-ons does not carry a whole hub.
        from towline_hub import daemon

        settings = settings or self._settings or load(AddonManagerSettings, ())
        await daemon.run(settings.hub_settings(self.declarations), stop, on_call=self._on_call)

    async def __aenter__(self) -> Self:
        """Begin to serve, beside whatever the body does; its failure cancels the body."""
        stop = asyncio.Event()
        name = f"manage-addons/{self._addons[0].name}"
        self._served = running_beside(self.serve(stop), name=name, stop=stop)
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

    async def _run_until_signal(self, settings: AddonManagerSettings) -> None:
        with told_to_end() as stop:
            await self.serve(stop, settings=settings)
