"""An explanation for people: the chain, and beneath it what to do about its first broken link."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from towline_hub.explain.links import Explanation, Link, LinkState

_MARKS = {
    LinkState.HOLDS: ("✓", "green"),
    LinkState.BROKEN: ("✗", "bold red"),
    LinkState.UNKNOWN: ("?", "yellow"),
    LinkState.LATER: ("·", "dim"),
}


def print_explanation(explanation: Explanation, *, console: Console) -> None:
    """Print an explanation."""
    console.print(Text(explanation.target, style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for link in explanation.links:
        mark, style = _MARKS[link.state]
        shown = style if link.state is not LinkState.HOLDS else ""
        table.add_row(
            Text(mark, style=style), Text(link.name, style=shown), Text(link.found, shown)
        )
    console.print(table)
    console.print()
    first = explanation.broken
    if first is not None:
        _print_fix(first, console=console)
    elif explanation.unseen:
        console.print(Text("nothing seen is broken; some links could not be looked at", "yellow"))
    else:
        console.print(Text("all is well", style="green"))


def _print_fix(link: Link, *, console: Console) -> None:
    console.print(Text.assemble((f"broken: {link.name}. ", "bold red"), link.fix or ""))
    if link.command is not None:
        # Never folded, so that it can be copied as one line.
        console.print(Text(f"  $ {link.command}", style="bold"), soft_wrap=True)
