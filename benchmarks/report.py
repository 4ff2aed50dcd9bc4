"""What a run of the benchmark found, for people and for machines."""

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from call_counts import CALLERS, KINDS, count
from import_times import ImportTimes
from one_join import Join
from spread import Spread, spreads


@dataclass(frozen=True, slots=True)
class Setting:
    """Where it was measured.

    Args:
        kubernetes: Version of the API servers.
        cores: How many this machine has.
        load: How many processes wanted one of them in the minute before.
    """

    kubernetes: str
    cores: int
    load: float


@dataclass(frozen=True, slots=True)
class Run:
    """Everything one run found.

    Args:
        setting: Where.
        joins: Each join.
        imports: Import times of each program.
    """

    setting: Setting
    joins: Sequence[Join]
    imports: Mapping[str, ImportTimes]


def summary(run: Run) -> dict[str, Any]:
    """Return it all for JSON: spreads as objects with `median`, `least` and `most`."""
    counted = [count(join.calls) for join in run.joins]
    return {
        "setting": dataclasses.asdict(run.setting) | {"python": platform.python_version()},
        "joins": len(run.joins),
        "seconds": _plain(spreads([join.seconds for join in run.joins])),
        "use": _plain(_use(run.joins)),
        "calls": {
            caller: {
                "kinds": _plain(spreads([one[caller].kinds for one in counted])),
                "identities": _plain(spreads([one[caller].identities for one in counted])),
                "calls": _plain(spreads([one[caller].calls for one in counted])),
            }
            for caller in CALLERS
        },
        "imports": {name: dataclasses.asdict(times) for name, times in run.imports.items()},
        "last_join": [
            {
                "seconds": round((call.at - run.joins[-1].started).total_seconds(), 4),
                "caller": call.caller,
                "identity": call.identity,
                "call": call.call,
                "name": call.name,
            }
            for call in run.joins[-1].calls
        ],
    }


def text(run: Run, *, timeline: bool) -> str:
    """Return it all as tables for a terminal.

    Args:
        run: What was found.
        timeline: Add every call of the last join.
    """
    joins, setting = run.joins, run.setting
    counted = [count(join.calls) for join in joins]
    where = (
        f"{len(joins)} joins, median (least-most); kube-apiserver {setting.kubernetes}, "
        f"Python {platform.python_version()}, {setting.cores} cores, load {setting.load:.1f}"
    )
    lines = [
        where,
        *_table("seconds from the start of the agent's process", _times(joins), digits=2),
        *_table("use", _use(joins), digits=2),
    ]
    for caller in CALLERS:
        kinds = spreads([one[caller].kinds for one in counted])
        total = Spread.of(one[caller].kinds.total() for one in counted)
        parts = ", ".join(f"{kinds[k].text(0)} {k}" for k in KINDS if k in kinds)
        calls = spreads([one[caller].calls for one in counted])
        heading = f"calls per join, {caller}: {total.text(0)}: {parts}"
        lines += _table(heading, dict(reversed(calls.items())), digits=0)
    for name, times in run.imports.items():
        lines += ["", f"imports of {name}: {times.modules} modules, {times.seconds:.2f} s"]
        lines += [f"  {cost:>6.3f}  {package}" for package, cost in times.by_package.items()]
        lines += ["  by module:"]
        lines += [f"  {cost:>6.3f}  {module}" for module, cost in times.heaviest.items()]
    if timeline:
        lines += ["", "every call of the last join"]
        lines += [
            f"  {(call.at - joins[-1].started).total_seconds():>8.3f}  {call.caller:<15} "
            f"{call.identity:<16} {call.call}  {call.name}"
            for call in joins[-1].calls
        ]
    return "\n".join(lines)


def _times(joins: Sequence[Join]) -> dict[str, Spread]:
    return spreads([join.seconds for join in joins])


def _use(joins: Sequence[Join]) -> dict[str, Spread]:
    found = {
        "agent: processor seconds until joined": [j.agent_cpu_until_joined for j in joins],
        "agent: processor seconds until quiet": [j.agent_cpu for j in joins],
        "hub: processor seconds for the join": [j.hub_cpu for j in joins],
    }
    for name, memories in (
        ("agent", [j.agent_memory for j in joins]),
        ("hub", [j.hub_memory for j in joins]),
    ):
        found[f"{name}: resident MiB"] = [m.resident_mib for m in memories]
        proportional = [m.proportional_mib for m in memories if m.proportional_mib is not None]
        if proportional:
            found[f"{name}: proportional MiB"] = proportional
        found[f"{name}: threads"] = [float(m.threads) for m in memories]
    return {label: Spread.of(values) for label, values in found.items()}


def _table(heading: str, rows: Mapping[str, Spread], *, digits: int) -> list[str]:
    width = max((len(label) for label in rows), default=0)
    return ["", heading, *(f"  {label:<{width}}  {s.text(digits)}" for label, s in rows.items())]


def _plain(found: Mapping[str, Spread]) -> dict[str, dict[str, float]]:
    return {label: dataclasses.asdict(spread) for label, spread in found.items()}
