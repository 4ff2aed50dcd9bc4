"""A command that was forked is a process like any other: its end, its output, its variables."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from support.forked_programs import ForkedProgram, launch

_PATIENCE_SECONDS = 30.0


def _launch(
    folder: Path, words: Sequence[str], environment: Mapping[str, str] | None = None
) -> ForkedProgram:
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return launch(words, stdout=out, stderr=err, environment=environment or {})


def test_its_exit_status_and_output_are_those_of_the_command(tmp_path: Path) -> None:
    """What tests conclude from."""
    program = _launch(tmp_path, ["--version"])
    with program.stdin:
        assert program.wait(_PATIENCE_SECONDS) == 0
    assert (tmp_path / "out").read_text().startswith("towline ")
    program = _launch(tmp_path, ["no-such-command"])
    with program.stdin:
        assert program.wait(_PATIENCE_SECONDS) == 2
    assert (tmp_path / "err").read_text()


def test_its_variables_are_those_given_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting of the developer's own shell is not the test's."""
    monkeypatch.setenv("TOWLINE_NO_SUCH_SETTING", "x")
    missing = tmp_path / "of-the-environment"
    program = _launch(tmp_path, ["status"], {"TOWLINE_KUBECONFIG": str(missing)})
    with program.stdin:
        assert program.wait(_PATIENCE_SECONDS) == 1
    assert str(missing) in (tmp_path / "err").read_text()


def test_one_that_runs_can_be_killed_and_its_end_is_told(tmp_path: Path) -> None:
    """By its own process number, and by nobody's exit handlers."""
    program = _launch(tmp_path, ["sandbox", "up"], {"HOME": str(tmp_path)})
    with program.stdin:
        assert program.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(0.0)
        program.kill()
        assert program.wait(_PATIENCE_SECONDS) == -signal.SIGKILL
    program.kill()  # of one that has ended is no mistake


def test_one_ends_when_its_standard_input_does(tmp_path: Path) -> None:
    """So none outlives the test process, however that ends."""
    program = _launch(tmp_path, ["sandbox", "up"], {"HOME": str(tmp_path)})
    program.stdin.close()
    assert program.wait(_PATIENCE_SECONDS) is not None
