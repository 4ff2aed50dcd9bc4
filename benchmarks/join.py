"""Measures how long a cluster takes to join a hub, and what that costs everybody concerned.

Run it as `python benchmarks/join.py`; see README.md beside it.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import import_times
from import_times import parse_import_times
from one_join import Join, join, start_hub
from report import Run, Setting, summary, text
from towline_api.errors import TowlineError


def main() -> int:
    """Run the benchmark and print what it found; return the exit status."""
    options = _parser().parse_args()
    folder = Path(tempfile.mkdtemp(prefix="towline-benchmark-"))  # mode 0700
    run: Run | None = None
    try:
        run = asyncio.run(measure(options.joins, folder=folder))
    except* TowlineError as failures:  # on its own, or out of the task group around the caller
        for failure in failures.exceptions:
            print(f"benchmark: {failure}", file=sys.stderr)
        if options.keep_logs:
            print(f"logs are in {folder}", file=sys.stderr)
    finally:
        if not options.keep_logs:
            shutil.rmtree(folder, ignore_errors=True)
    if run is None:
        return 1
    if options.output == "json":
        json.dump(summary(run), sys.stdout, indent=2)
        print()
    else:
        print(text(run, timeline=options.timeline))
    return 0


async def measure(joins: int, *, folder: Path) -> Run:
    """Join that many clusters, one after another.

    One more join comes first and does not count: it warms up caches, and its agent reports the time
    of its imports, which makes it slower.
    """
    load = os.getloadavg()[0]
    found: list[Join] = []
    async with AsyncExitStack() as stack:
        _say("starting the hub")
        place = await start_hub(stack, folder=folder, environment=import_times.ENVIRONMENT)
        async with AsyncExitStack() as spoke:
            _say("joining once to warm up")
            _, agent, _ = await join(
                place, _new_name(), spoke, environment=import_times.ENVIRONMENT
            )
            imports = {
                "the agent": parse_import_times(agent.log.read_text()),
                "the hub": parse_import_times(place.program.log.read_text()),
            }
        for number in range(1, joins + 1):
            async with AsyncExitStack() as spoke:
                _say(f"join {number} of {joins}")
                joined, _, _ = await join(place, _new_name(), spoke, environment={})
                found.append(joined)
        setting = Setting(place.plane.version, os.cpu_count() or 1, load)
    return Run(setting, found, imports)


def _new_name() -> str:
    return f"c-{secrets.token_hex(3)}"


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--joins", type=_positive, default=5, help="how many count (default 5)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument(
        "--timeline", action="store_true", help="also show every call of the last join"
    )
    parser.add_argument(
        "--keep-logs", action="store_true", help="leave the folder with logs and kubeconfigs"
    )
    return parser


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least one join is needed, found {value}")
    return number


if __name__ == "__main__":
    sys.exit(main())
