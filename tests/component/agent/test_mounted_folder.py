"""A folder that somebody else keeps: nothing that changes in it goes unheard."""

import asyncio
from datetime import timedelta
from pathlib import Path

from support.tasks import background
from towline_agent.channel.mounted_folder import MountedFolder

WITHIN_SECONDS = 30.0


async def test_what_changes_before_anybody_listens_is_read_too(tmp_path: Path) -> None:
    """Listening begins a moment after the first reading; the next look may be a minute away."""
    file = tmp_path / "file"
    file.write_text("old")
    used: asyncio.Queue[str] = asyncio.Queue()

    def read() -> str:
        found = file.read_text()
        if found == "old":
            file.write_text("new")  # by somebody else, just now
        return found

    folder = MountedFolder(
        tmp_path,
        read=read,
        complaint="cannot be used",
        is_news=lambda now, before: now != before,
        reread_every=timedelta(hours=1),
    )
    async with background(folder.watch(used.put_nowait), name="watch-folder"):
        async with asyncio.timeout(WITHIN_SECONDS):
            assert [await used.get(), await used.get()] == ["old", "new"]
