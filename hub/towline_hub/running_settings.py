"""Settings of how a hub's process runs: with how many others, who may look at it, how it ends."""

from datetime import timedelta
from typing import Self

from pydantic import model_validator

from towline_api.duration_field import Duration
from towline_kube.candidacy import LeaseTimes
from towline_kube.listen_address import ListenOrOff
from towline_kube.settings import ProgramSettings

_DEFAULT_TIMES = LeaseTimes()


class RunningSettings(ProgramSettings):
    """The part of the hub's settings that concerns the process itself."""

    listen: ListenOrOff = None
    """Where to serve `/metrics`, `/healthz` and `/readyz` by plain HTTP, as HOST:PORT; `off`, the
    default, serves none."""
    leader_election: bool = False
    """Let several replicas run, of which one works and the others stand by. Needs the namespace to
    exist. Off by default: then only one may run."""
    lease_duration: Duration = _DEFAULT_TIMES.duration
    """How long the others wait for a sign of the leader before one of them takes over; whole
    seconds."""
    renew_deadline: Duration = _DEFAULT_TIMES.renew_deadline
    """How long a leader that cannot renew its Lease goes on."""
    retry_period: Duration = _DEFAULT_TIMES.retry_period
    """How often a leader renews its Lease."""
    drain_limit: Duration = timedelta(seconds=10)
    """How long a hub that is told to end lets the work under way go on before it cuts it short."""

    @model_validator(mode="after")
    def _lease_times_fit(self) -> Self:
        _ = self.lease_times  # checks them
        return self

    @property
    def lease_times(self) -> LeaseTimes:
        """How fast a lost leader is replaced."""
        return LeaseTimes(
            duration=self.lease_duration,
            renew_deadline=self.renew_deadline,
            retry_period=self.retry_period,
        )
