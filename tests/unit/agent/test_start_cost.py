"""What an agent loads when it starts, and all it keeps in memory for years."""

import subprocess
import sys

import pytest

START = """
import asyncio, sys
import towline_agent.commands
from towline_kube.connection import Connection
from towline_kube.connection_pools import ConnectionPools

async def open_session():
    pools = ConnectionPools(Connection(server="https://hub:6443"), fence=None)
    pools.session(stores=False)
    await pools.close()

asyncio.run(open_session())
print(" ".join(sys.modules))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of an agent that has opened its first connection."""
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        # The official client, and the whole synchronous one that comes with it: 10 MiB.
        pytest.param("kubernetes", id="official-client"),
        pytest.param("requests", id="requests"),
        # What an agent that serves nothing does without.
        pytest.param("aiohttp.web", id="http-server"),
        pytest.param("prometheus_client", id="metrics"),
        pytest.param("rich", id="tables"),
        pytest.param("towline_hub", id="the-other-side"),
    ],
)
def test_an_agent_does_without(loaded: set[str], module: str) -> None:
    """A thoughtless import costs every cluster of a fleet its memory."""
    assert "towline_agent.daemon" in loaded
    assert module not in loaded
