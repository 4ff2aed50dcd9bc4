"""The command line finds the right program and tells a lost user what there is."""

import gc
import subprocess
import sys
from collections.abc import Sequence

import pytest

from towline_api.errors import ConfigError
from towline_sandbox import cli


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_command_names_a_program_that_exists(command: cli.Command) -> None:
    """Programs are imported by name, so only calling one would find a typing mistake."""
    assert callable(command.load())


def test_commands_are_found_by_their_whole_words() -> None:
    """`towline hub` alone is a group, not a program."""
    assert cli.find_command(["hub", "run", "--install-crds"]) is cli.COMMANDS[0]
    assert cli.find_command(["hub"]) is None
    assert cli.find_command(["hub", "runs"]) is None
    assert cli.find_command([]) is None


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake gets the list of commands and a failing status."""
    assert cli.main(["acept", "c1"]) == cli.EXIT_USAGE
    captured = capsys.readouterr()
    assert "no command is called 'acept c1'" in captured.err
    assert "towline accept" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["hub", "--help"]])
def test_asking_for_help_succeeds(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help goes to standard output, so that it can be paged."""
    assert cli.main(words) == 0
    assert "towline hub run" in capsys.readouterr().out


def test_every_command_is_listed_once_under_a_heading() -> None:
    """A list of twenty is looked through by what one wants to do."""
    lines = cli.usage().splitlines()
    assert "more:" not in lines, "a new command belongs under one of the headings"
    for command in cli.COMMANDS:
        words = f"  towline {' '.join(command.words)} "
        assert len([line for line in lines if line.startswith(words)]) == 1, words
    for heading, _ in cli.SECTIONS:
        assert f"{heading}:" in lines


def test_help_for_a_group_lists_only_that_group() -> None:
    """`towline hub --help` is about the hub."""
    assert "towline agent run" not in cli.usage(["hub"])


def test_an_expected_error_is_one_line_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs towline sees what is wrong, not where in the code it was noticed."""

    def broken(self: cli.Command) -> cli.Program:
        raise ConfigError("kubeconfig 'x' is empty")

    monkeypatch.setattr(cli.Command, "load", broken)
    assert cli.main(["status"]) == cli.EXIT_FAILED
    assert capsys.readouterr().err == "towline: kubeconfig 'x' is empty\n"


def test_a_program_starts_with_the_collector_on_and_nothing_to_look_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full collection of all that was imported stops the event loop for a tenth of a second."""
    seen: list[tuple[bool, bool]] = []

    def program(arguments: Sequence[str]) -> int:
        seen.append((gc.isenabled(), gc.get_freeze_count() > 10_000))
        return 0

    def load(self: cli.Command) -> cli.Program:
        assert not gc.isenabled(), "collecting while importing is wasted"
        return program

    monkeypatch.setattr(cli.Command, "load", load)
    try:
        assert cli.main(["status"]) == 0
    finally:
        gc.unfreeze()  # this process has other tests to run
    assert seen == [(True, True)]


def test_help_does_not_import_the_rooms() -> None:
    """Whoever mistypes a command should not wait for pydantic to hear of it."""
    script = (
        "import sys; from towline_sandbox import cli; cli.main([]);"
        "sys.exit('pydantic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
