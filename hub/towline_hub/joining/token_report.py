"""Bootstrap tokens for people, as a table."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from towline_api.timestamps import format_time
from towline_hub.joining.listed_tokens import ListedToken

_WIDE = 1000
"""Columns nobody reaches: one line a token however narrow the terminal, as kubectl."""


def print_tokens(
    tokens: Sequence[ListedToken], *, now: datetime, console: Console | None = None
) -> None:
    """Print tokens as a table, without what nobody should see."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("Id", "Cluster", "Created", "Expires", "State", "Description"):
        table.add_column(column, no_wrap=True)
    for token in tokens:
        table.add_row(
            token.token_id,
            token.cluster or "any",
            format_time(token.created),
            "never" if token.expires is None else format_time(token.expires),
            _state(token, now=now),
            token.description,
        )
    if not tokens:
        table.add_row("none", *[""] * 5)
    console = console or Console()
    console.width = _WIDE
    console.print(table)


def _state(token: ListedToken, *, now: datetime) -> Text:
    if token.is_expired(now):
        return Text("expired", style="yellow")
    if token.problem is not None:
        return Text(f"unusable: {token.problem}", style="red")
    return Text("valid", style="green")
