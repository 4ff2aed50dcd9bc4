"""A diagnosis for people, as a table."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from towline_hub.doctor.findings import Diagnosis, Finding, Verdict

_MARKS = {
    Verdict.OK: ("✓", "green"),
    Verdict.WARN: ("!", "yellow"),
    Verdict.FAIL: ("✗", "bold red"),
    Verdict.UNSEEN: ("?", "yellow"),
}


def print_diagnosis(diagnosis: Diagnosis, *, console: Console) -> None:
    """Print a diagnosis."""
    console.print(Text(diagnosis.server, style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in diagnosis.findings:
        mark, style = _MARKS[finding.verdict]
        table.add_row(Text(mark, style=style), finding.check, _told(finding, style=style))
    console.print(table)
    counts = {
        verdict: sum(finding.verdict is verdict for finding in diagnosis.findings)
        for verdict in Verdict
    }
    console.print()
    console.print(
        f"{counts[Verdict.FAIL]} wrong, {counts[Verdict.WARN]} to know, "
        f"{counts[Verdict.UNSEEN]} not seen, {counts[Verdict.OK]} well"
    )


def _told(finding: Finding, *, style: str) -> Text:
    if finding.verdict is Verdict.OK:
        return Text(finding.found)
    text = Text(finding.found, style=style)
    if finding.fix is not None:
        text.append(f"\n→ {finding.fix}", style="default not bold")
    return text
