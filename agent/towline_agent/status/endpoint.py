"""What an agent serves to those who look at it: `/healthz`, `/readyz`, `/metrics` and `/status`.

Not imported with the rest of this package: an agent that serves nothing does without the libraries.
"""

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from towline_agent.station.overview import AddonOverview
from towline_agent.status.metrics import AgentMetrics
from towline_agent.status.overview import AgentOverview
from towline_agent.status.report import report_document
from towline_kube.client import Call
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.health_checks import Check, Well, loop_responsive, tasks_alive
from towline_kube.http_endpoint import HttpEndpoint
from towline_kube.listen_address import ListenAddress

_NOT_BEGUN = "the agent has not begun yet: it waits for what is stored, or for the way to its hub"


class Looked(Protocol):
    """What is looked at."""

    def overview(self) -> AgentOverview:
        """Return how it is at this moment."""
        ...

    async def find_hub_problem(self) -> str | None:
        """Return what is wrong with the way to the hub; None if nothing is."""
        ...

    def tasks(self) -> Iterable[asyncio.Task[Any]]:
        """Return what has to go on until it is told to stop."""
        ...


class AgentEndpoint:
    """Answers for as long as the block lasts, with a registry of its own.

    It never fails `/healthz` for what a restart would not help: a hub that is away, a denial, a
    certificate that ended.

    Args:
        address: Where to listen.
        clock: Time.
    """

    def __init__(self, address: ListenAddress, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._looked: Looked | None = None
        self._metrics = AgentMetrics(self._overview)
        self._http = HttpEndpoint(
            address,
            registry=self._metrics.registry,
            healthy={
                "event-loop": loop_responsive(clock),
                "tasks": tasks_alive(lambda: self._looked.tasks() if self._looked else ()),
            },
            ready=self._ready,
            documents={"status": self._document},
        )

    @property
    def address(self) -> ListenAddress:
        """Where it listens; once it does, with the port that the kernel chose."""
        return self._http.address

    def look_at(self, looked: Looked) -> None:
        """Tell of this one from now on, in the place of the one before."""
        self._looked = looked

    def count_hub_call(self, call: Call) -> None:
        """Count a request to the hub; give it to a client as `on_call`."""
        self._metrics.count_hub_call(call)

    def count_spoke_call(self, call: Call) -> None:
        """Count a request to the managed cluster; give it to a client as `on_call`."""
        self._metrics.count_spoke_call(call)

    def count_hosting_call(self, call: Call) -> None:
        """Count a request to the hosting cluster; give it to a client as `on_call`."""
        self._metrics.count_hosting_call(call)

    async def __aenter__(self) -> Self:
        """Begin to answer.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop answering."""
        await self._http.__aexit__(kind, error, traceback)

    def _overview(self) -> AgentOverview | None:
        return None if self._looked is None else self._looked.overview()

    def _document(self) -> dict[str, Any]:
        overview = self._overview()
        return {"trouble": _NOT_BEGUN} if overview is None else report_document(overview)

    def _ready(self) -> Mapping[str, Check]:
        looked = self._looked
        if looked is None:
            return {"state": _saying(_NOT_BEGUN)}
        overview = looked.overview()
        report = overview.credential.report
        checks: dict[str, Check] = {
            "state": _saying(Well(str(report)) if report.state.is_serving else str(report)),
            "hub": looked.find_hub_problem,
        }
        for addon in overview.addons:
            checks[f"addon/{addon.name}"] = _saying(addon_answer(addon))
        return checks


def addon_answer(addon: AddonOverview) -> str | Well:
    """Return what `/readyz` says about an add-on, and about the worst of its credentials."""
    troubles, worst = addon.troubles, addon.worst
    if worst is None:
        return Well("it asks for no credential") if not troubles else "; ".join(troubles)
    if not worst.report.state.is_serving or troubles:
        return "; ".join([str(worst.report), *troubles])
    return Well(str(worst.report))


def _saying(answer: str | Well) -> Check:
    async def check() -> str | Well:
        return answer

    return check
