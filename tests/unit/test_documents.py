"""What the documents show is what there is."""

import re
from pathlib import Path

import pytest

from towline_sandbox.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")],
    key=lambda path: path.relative_to(ROOT).as_posix(),
)


def test_the_readme_shows_the_example_that_the_tests_run() -> None:
    """A program in a README that nobody runs is soon a program that does not run."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = (ROOT / "examples/helloworld/helloworld.py").read_text()
    assert blocks == [example]


def test_the_testing_page_shows_the_test_that_is_run() -> None:
    """The same for the page on how to test an add-on."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/testing.md").read_text(), re.DOTALL)
    assert blocks == [(ROOT / "examples/helloworld/test_helloworld.py").read_text()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_in_a_document_exists(document: Path) -> None:
    """Whoever copies a command from a page should not meet `no command is called ...`."""
    known = {" ".join(command.words) for command in COMMANDS}
    shown = re.findall(
        r"^\$ towline ((?:[a-z]+(?:-[a-z]+)* ?)+)", document.read_text(), re.MULTILINE
    )
    for words in shown:
        assert any(f"{words.strip()} ".startswith(f"{name} ") for name in known), words


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_make_target_in_a_document_exists(document: Path) -> None:
    """The same for `make`."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = re.findall(r"`make ([a-z-]+)", document.read_text())
    shown += re.findall(r"^\$ make ([a-z-]+)", document.read_text(), re.MULTILINE)
    assert set(shown) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    """A reader who follows a link should find a page."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []
