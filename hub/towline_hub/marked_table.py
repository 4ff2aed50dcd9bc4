"""What was looked at, for people: one line each, with a mark for how it was found."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Mark:
    """How something was found.

    Args:
        sign: One character.
        style: How it looks, in rich's words.
    """

    sign: str
    style: str


WELL = Mark("✓", "green")
TO_KNOW = Mark("!", "yellow")
WRONG = Mark("✗", "bold red")
NOT_SEEN = Mark("?", "yellow")
LATER = Mark("·", "dim")


def marked_table(rows: Iterable[tuple[Mark, Text, Text]]) -> Table:
    """Return a table of marks, of what they are about, and of what was found, which may fold."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for mark, about, found in rows:
        table.add_row(Text(mark.sign, style=mark.style), about, found)
    return table
