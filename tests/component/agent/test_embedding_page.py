"""The programs that the documentation shows: they are what they say, and they run."""

import re
from pathlib import Path
from typing import Any

import pytest

from support.addon_stage import AddonStage, addon_stage
from towline_agent import AddonAgent
from towline_api.resources import CONFIG_MAPS

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def programs(page: str) -> list[str]:
    """Return the Python that a page shows."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def embedding_program() -> str:
    """Return the program by which the README shows how an add-on is embedded."""
    (program,) = (block for block in programs("README.md") if "AddonAgent(" in block)
    return program


def test_the_page_shows_the_readme_s_program_and_the_example() -> None:
    """Three places, one program."""
    assert programs("docs/embedding.md")[0] == embedding_program()
    example = (ROOT / "examples/helloworld/helloworld.py").read_text(encoding="utf-8")
    assert example == embedding_program()


@pytest.mark.parametrize("block", programs("docs/embedding.md"))
def test_every_piece_on_the_page_is_python(block: str) -> None:
    """Whoever copies it must not begin with a syntax error."""
    # Pieces may await, as if they stood in a coroutine.
    inside = "".join(f"    {line}\n" for line in block.splitlines())
    compile(f"async def shown():\n{inside}", "docs/embedding.md", "exec")


async def test_the_readme_s_program_does_what_it_says() -> None:
    """Copies appear, change and go."""
    names: dict[str, Any] = {"__name__": "shown"}
    exec(embedding_program(), names)
    agent: AddonAgent = names["agent"]
    async with addon_stage() as stage, stage.running(agent):
        await stage.put("settings", {"a": "1"})
        await stage.until_data("settings", {"a": "1"})
        await stage.put("settings", {"a": "2"})
        await stage.until_data("settings", {"a": "2"})
        await _delete(stage)
        await stage.until_data("settings", None)


async def _delete(stage: AddonStage) -> None:
    await stage.admin.delete(CONFIG_MAPS, "settings", namespace="cluster1")
