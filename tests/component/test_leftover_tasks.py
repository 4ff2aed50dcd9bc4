"""A test that leaves a task behind fails, whatever else it asserts."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

MODULE = """
import asyncio

left = set()

async def test_leaves_a_task():
    left.add(asyncio.create_task(asyncio.Event().wait(), name="forgotten-task"))

async def test_waits_for_its_task():
    await asyncio.create_task(asyncio.sleep(0), name="awaited-task")

def test_has_no_loop():
    pass
"""


def test_a_leftover_task_fails_its_test(tmp_path: Path) -> None:
    """A task nobody owns outlives its daemon as well, and swallows its own error."""
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    (tmp_path / "test_tasks.py").write_text(MODULE)
    options = ["-q", "--asyncio-mode=auto", "--override-ini=pythonpath=" + str(TESTS)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "the test left tasks behind: forgotten-task" in run.stdout
    assert "3 passed, 1 error" in run.stdout
