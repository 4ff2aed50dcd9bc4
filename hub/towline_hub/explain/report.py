"""An explanation for people: the chain, and beneath it what to do about its first broken link."""

from rich.console import Console
from rich.text import Text

from towline_hub.explain.links import Explanation, Link, LinkState
from towline_hub.marked_table import LATER, NOT_SEEN, WELL, WRONG, Mark, marked_table

_MARKS = {
    LinkState.HOLDS: WELL,
    LinkState.BROKEN: WRONG,
    LinkState.UNKNOWN: NOT_SEEN,
    LinkState.LATER: LATER,
}


def print_explanation(explanation: Explanation, *, console: Console) -> None:
    """Print an explanation."""
    console.print(Text(explanation.target, style="bold"))
    console.print(marked_table(map(_row, explanation.links)))
    console.print()
    first = explanation.broken
    if first is not None:
        _print_fix(first, console=console)
    elif explanation.unseen:
        console.print(Text("nothing seen is broken; some links could not be looked at", "yellow"))
    else:
        console.print(Text("all is well", style="green"))


def _row(link: Link) -> tuple[Mark, Text, Text]:
    mark = _MARKS[link.state]
    shown = "" if link.state is LinkState.HOLDS else mark.style
    return mark, Text(link.name, style=shown), Text(link.found, style=shown)


def _print_fix(link: Link, *, console: Console) -> None:
    console.print(Text.assemble((f"broken: {link.name}. ", "bold red"), link.fix or ""))
    if link.command is not None:
        # Never folded, so that it can be copied as one line.
        console.print(Text(f"  $ {link.command}", style="bold"), soft_wrap=True)
