"""What a program's imports cost, as Python itself reports when PYTHONPROFILEIMPORTTIME is set."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

ENVIRONMENT = {"PYTHONPROFILEIMPORTTIME": "1"}
_MARK = "import time:"


@dataclass(frozen=True, slots=True)
class ImportTimes:
    """Time spent in imports by one process, from its start on.

    Args:
        seconds: Of all imports together. Being measured makes them a little slower.
        modules: How many modules were imported.
        by_package: Seconds by top-level package, heaviest first; all of the standard library is
            one entry. What a package imports counts for what was imported.
        heaviest: Seconds by single module, heaviest first.
    """

    seconds: float
    modules: int
    by_package: dict[str, float]
    heaviest: dict[str, float]


def parse_import_times(log: str, *, most: int = 12) -> ImportTimes:
    """Return the import times that a program wrote into its log.

    Args:
        log: What it wrote; other lines are passed over.
        most: Length of the lists.
    """
    own: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    for module, microseconds in _lines(log):
        own[module] += microseconds
        packages[_package(module)] += microseconds
    return ImportTimes(
        seconds=sum(own.values()) / 1e6,
        modules=len(own),
        by_package=_seconds(packages, most),
        heaviest=_seconds(own, most),
    )


def _lines(log: str) -> Iterator[tuple[str, int]]:
    for line in log.splitlines():
        if line.startswith(_MARK):
            own, _, module = line.removeprefix(_MARK).split("|")
            if own.strip().isdecimal():  # the first line is a heading
                yield module.strip(), int(own)


def _package(module: str) -> str:
    top = module.partition(".")[0]
    return "(standard library)" if top in sys.stdlib_module_names else top


def _seconds(microseconds: Counter[str], most: int) -> dict[str, float]:
    return {name: count / 1e6 for name, count in microseconds.most_common(most)}
