"""Several measurements of one thing, told as their median and how far they lie apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """What is told of several measurements.

    Args:
        median: Half were not above, half not below.
        least: The smallest.
        most: The largest.
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Return the spread of at least one measurement."""
        found = list(values)
        return cls(median(found), min(found), max(found))

    def text(self, digits: int) -> str:
        """Return it for a table, for example `1.20  (1.11-1.32)`; once if all are the same."""
        middle, least, most = (f"{v:.{digits}f}" for v in (self.median, self.least, self.most))
        return middle if least == most else f"{middle}  ({least}-{most})"


def spreads(measured: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Return the spread of each named measurement, absent ones counting as 0; in order of size."""
    labels = {label for one in measured for label in one}
    found = {label: Spread.of(one.get(label, 0) for one in measured) for label in labels}
    return dict(sorted(found.items(), key=lambda item: (item[1].median, item[0])))
