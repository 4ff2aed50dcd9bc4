"""Many candidates, clocks that disagree, freezes, and a network that loses, delays and repeats.

A small world is simulated event by event. Its server knows the truth: when each write took effect,
and who held the Lease then. The rule that must hold is about that moment.
"""

import copy
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.resources import KubeObject
from towline_kube.candidacy import Candidate, Claim, LeaseTimes, Rest

TIMES = LeaseTimes()
REQUEST_LIMIT = TIMES.renew_deadline.total_seconds() / 2
LONGEST_DELAY = 60.0
"""Of a request of the election: a network may keep it that long, and deliver it then."""
FASTEST, SLOWEST = 1.1, 0.9
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Weather:
    """How bad it gets.

    Args:
        lost: Share of requests, and of answers, that never arrive.
        late: Share of requests that arrive after their sender has given up.
        repeated: Share of requests that arrive twice.
        freezes: How often a candidate stops, per second.
        releases: How often a leader gives the Lease up, per second.
    """

    lost: float
    late: float
    repeated: float
    freezes: float
    releases: float


@dataclass
class Server:
    """Keeps the Lease, and refuses what was made from an older version of it."""

    lease: KubeObject | None = None
    version: int = 0

    @property
    def holder(self) -> str:
        return str(((self.lease or {}).get("spec") or {}).get("holderIdentity") or "")

    def write(self, body: KubeObject) -> KubeObject | None:
        """Return what was stored; None if it was refused."""
        known = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if body["metadata"].get("resourceVersion") != known:
            return None
        self.version += 1
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self.version)
        self.lease = stored
        return stored


@dataclass
class Process:
    """One candidate in its process: a clock of its own, and moments at which it stands still."""

    candidate: Candidate
    offset: float
    rate: float
    frozen_until: float = 0.0
    busy: bool = False
    writes: int = 0

    def reading(self, truth: float) -> float:
        return self.offset + self.rate * truth

    def leads(self, truth: float) -> bool:
        """Tell what the fence would say: it looks at the clock, and at nothing that may be old."""
        return self.reading(truth) < self.candidate.leads_until


@dataclass
class World:
    """Everything, in true time.

    Args:
        number: Of candidates.
        seed: Decides every chance.
        weather: How likely what is.
    """

    number: int
    seed: int
    weather: Weather
    ignore_fence_time: bool = False
    now: float = 0.0
    server: Server = field(default_factory=Server)
    violations: list[str] = field(default_factory=list)
    leaders: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self.processes = [
            Process(
                Candidate(
                    f"p{number}",
                    name="lead",
                    namespace="ns",
                    times=TIMES,
                    roll=self.random.random,
                ),
                offset=self.random.uniform(-1e6, 1e6),
                rate=self.random.uniform(SLOWEST, FASTEST),
            )
            for number in range(self.number)
        ]

    def run(self, seconds: float) -> None:
        for process in self.processes:
            self._at(self.random.uniform(0, 3), partial(self._turn, process))
            self._at(self.random.uniform(0, 3), partial(self._work, process))
            self._at(self.random.expovariate(1), partial(self._shake, process))
        while self._events and self._events[0][0] <= seconds:
            self.now, _, happen = heapq.heappop(self._events)
            happen()

    def _at(self, delay: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), happen))

    def _awake(self, process: Process, happen: Callable[[], None]) -> bool:
        """Tell whether a process runs; if not, have this happen once it goes on."""
        if self.now < process.frozen_until:
            self._at(process.frozen_until - self.now, happen)
            return False
        return True

    # Each candidate: campaigns, works while it leads, and now and then stands still

    def _turn(self, process: Process) -> None:
        if not self._awake(process, lambda: self._turn(process)):
            return
        pause = 0.2
        if not process.busy:
            at = process.reading(self.now)
            step = process.candidate.plan(at=at, now=START + timedelta(seconds=at % 1e6))
            match step:
                case Claim(body=body):
                    self._claim(process, body)
                case Rest(until=until):
                    pause = min(0.5, max(0.01, (until - at) / process.rate))
        self._at(pause, lambda: self._turn(process))

    def _work(self, process: Process) -> None:
        if not self._awake(process, lambda: self._work(process)):
            return
        # The look at the clock and the sending are one step, as `FencedSocket` has it.
        if process.leads(self.now) or (self.ignore_fence_time and self._believes(process)):
            self.leaders.add(process.candidate.identity)
            process.writes += 1
            left = (process.candidate.writes_end - process.reading(self.now)) / process.rate
            arrival = self.random.uniform(0, max(left, 0.0))
            self._at(arrival, lambda: self._take_effect(process))
        self._at(self.random.uniform(0.01, 0.3), lambda: self._work(process))

    def _believes(self, process: Process) -> bool:
        return process.candidate.holder == process.candidate.identity

    def _take_effect(self, process: Process) -> None:
        mine = process.candidate.identity
        if self.server.holder not in (mine, ""):
            self.violations.append(
                f"a write of {mine} took effect at {self.now:.3f} although "
                f"{self.server.holder} holds the lease"
            )

    def _shake(self, process: Process) -> None:
        if self.random.random() < self.weather.freezes:
            process.frozen_until = self.now + self.random.expovariate(1 / 12)
        elif self.random.random() < self.weather.releases and self._believes(process):
            self._release(process)
        self._at(self.random.expovariate(1), lambda: self._shake(process))

    # The network

    def _claim(self, process: Process, body: KubeObject) -> None:
        process.busy = True
        sent = process.reading(self.now)
        settled = False

        def give_up() -> None:
            nonlocal settled
            if settled or not self._awake(process, give_up):
                return
            settled = True
            process.busy = False
            process.candidate.failed(at=process.reading(self.now))

        def answer(stored: KubeObject | None) -> None:
            nonlocal settled
            if settled or not self._awake(process, lambda: answer(stored)):
                return
            settled = True
            process.busy = False
            at = process.reading(self.now)
            if stored is not None:
                process.candidate.claimed(stored, sent=sent, at=at)
            else:
                process.candidate.failed(at=at)
                process.candidate.see(copy.deepcopy(self.server.lease), at=at)

        def arrive() -> None:
            stored = self.server.write(body)
            if stored is not None:
                self._spread(stored)
            if self.random.random() >= self.weather.lost:
                self._at(self.random.expovariate(20), lambda: answer(stored))

        self._at(REQUEST_LIMIT / process.rate, give_up)
        for _ in range(2 if self.random.random() < self.weather.repeated else 1):
            if self.random.random() >= self.weather.lost:
                late = self.random.random() < self.weather.late
                delay = self.random.uniform(0, LONGEST_DELAY) if late else 0.0
                self._at(delay + self.random.expovariate(20), arrive)

    def _spread(self, stored: KubeObject) -> None:
        """Have every watch tell of it, some late, some never."""
        for process in self.processes:
            if self.random.random() >= self.weather.lost:
                delay = self.random.expovariate(5)
                self._at(delay, partial(self._hear, process, stored))

    def _hear(self, process: Process, stored: KubeObject) -> None:
        if self._awake(process, lambda: self._hear(process, stored)):
            process.candidate.see(copy.deepcopy(stored), at=process.reading(self.now))

    def _release(self, process: Process) -> None:
        """Give the Lease up; its writes are over before, for it waits for them."""
        given_up = process.candidate.release(now=START)
        if given_up is None or not process.leads(self.now):
            return
        body = given_up.body
        process.candidate.released(
            body | {"spec": {k: v for k, v in body["spec"].items() if k != "holderIdentity"}},
            at=process.reading(self.now),
        )

        def arrive() -> None:
            stored = self.server.write(body)
            if stored is not None:
                self._spread(stored)

        # As long as its last write may take.
        self._at(TIMES.writes_end.total_seconds() * 2, arrive)


WEATHERS = st.builds(
    Weather,
    lost=st.floats(0, 0.4),
    late=st.floats(0, 0.3),
    repeated=st.floats(0, 0.3),
    freezes=st.floats(0, 0.3),
    releases=st.floats(0, 0.05),
)


@given(number=st.integers(2, 5), seed=st.integers(0, 2**32), weather=WEATHERS)
def test_no_write_of_one_takes_effect_while_another_holds_the_lease(
    number: int, seed: int, weather: Weather
) -> None:
    """In any weather; not the belief of a process counts, but the moment at the server."""
    world = World(number, seed, weather)
    world.run(200)
    assert world.violations == []


def test_the_simulation_sees_many_leaders_and_many_writes() -> None:
    """The rule above would hold in a world where nobody leads as well."""
    led = []
    for seed in range(20):
        world = World(3, seed, Weather(0.1, 0.1, 0.1, 0.1, 0.02))
        world.run(200)
        led.append(len(world.leaders))
        assert sum(process.writes for process in world.processes) > 200
    assert sum(led) > 40


def test_without_a_look_at_the_clock_two_would_write() -> None:
    """A twin: who only believes to hold it is wrong after a freeze, and the rule shows it."""
    broken = 0
    for seed in range(20):
        world = World(3, seed, Weather(0.1, 0.1, 0.1, 0.2, 0.0), ignore_fence_time=True)
        world.run(200)
        broken += bool(world.violations)
    assert broken > 10


@pytest.mark.parametrize("number", [1, 2, 5])
def test_in_good_weather_one_leads_without_a_break(number: int) -> None:
    """Nothing is lost, so nobody takes the lead from another."""
    world = World(number, 7, Weather(0, 0, 0, 0, 0))
    world.run(300)
    assert len(world.leaders) == 1
    assert world.server.lease is not None
    assert world.server.lease["spec"]["leaseTransitions"] == 0
