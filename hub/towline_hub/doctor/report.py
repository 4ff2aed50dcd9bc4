"""A diagnosis for people, as a table."""

from rich.console import Console
from rich.text import Text

from towline_hub.doctor.findings import Diagnosis, Finding, Verdict
from towline_hub.marked_table import NOT_SEEN, TO_KNOW, WELL, WRONG, Mark, marked_table

_MARKS = {
    Verdict.OK: WELL,
    Verdict.WARN: TO_KNOW,
    Verdict.FAIL: WRONG,
    Verdict.UNSEEN: NOT_SEEN,
}


def print_diagnosis(diagnosis: Diagnosis, *, console: Console) -> None:
    """Print a diagnosis."""
    console.print(Text(diagnosis.server, style="bold"))
    console.print(marked_table(map(_row, diagnosis.findings)))
    counts = {
        verdict: sum(finding.verdict is verdict for finding in diagnosis.findings)
        for verdict in Verdict
    }
    console.print()
    console.print(
        f"{counts[Verdict.FAIL]} wrong, {counts[Verdict.WARN]} to know, "
        f"{counts[Verdict.UNSEEN]} not seen, {counts[Verdict.OK]} well"
    )


def _row(finding: Finding) -> tuple[Mark, Text, Text]:
    mark, about = _MARKS[finding.verdict], Text(finding.check)
    if finding.verdict is Verdict.OK:
        return mark, about, Text(finding.found)
    text = Text(finding.found, style=mark.style)
    if finding.fix is not None:
        text.append(f"\n→ {finding.fix}", style="default not bold")
    return mark, about, text
