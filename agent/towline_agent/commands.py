"""The agent's command: `towline agent run`."""

import asyncio
from collections.abc import Sequence

from towline_agent import daemon
from towline_agent.settings import AgentSettings
from towline_kube.logs import configure_logging
from towline_kube.settings import load
from towline_kube.termination import told_to_end
from towline_kube.tls_buffers import keep_tls_buffers_small


def run(arguments: Sequence[str]) -> int:
    """Run the agent until SIGTERM or SIGINT; return the exit status.

    Raises:
        ConfigError: The settings cannot be used.
    """
    settings = load(AgentSettings, arguments, prog="towline agent run")
    configure_logging(settings.log_format, settings.log_level)
    keep_tls_buffers_small()
    asyncio.run(_run(settings))
    return 0


async def _run(settings: AgentSettings) -> None:
    with told_to_end() as stop:
        await daemon.run(settings, stop)
