"""The examples' demonstrations run with one command, as their READMEs say."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("helloworld/helloworld_demo.py", "on the managed cluster: hello, cluster1"),
        ("alert-forwarder/forwarder_demo.py", "the hub knows: BackOff, Pod web-1 in shop"),
    ],
)
def test_a_demonstration_shows_its_addon_at_work_until_ctrl_c(script: str, said: str) -> None:
    """The first thing that somebody tries is the last one that may fail."""
    assert Path(script).name in (EXAMPLES / script).with_name("README.md").read_text()
    command = [sys.executable, "-u", str(EXAMPLES / script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            assert next(iter(demo.stdout)).startswith(said)
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=20) == 0
        finally:
            demo.kill()
