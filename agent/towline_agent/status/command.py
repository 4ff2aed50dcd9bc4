"""`towline agent status`: how an agent stands with its hub, told by itself or by what it stored."""

import asyncio
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from towline_agent.status.report import is_well, report_document
from towline_agent.status.settings import AgentStatusSettings
from towline_agent.status.stored_overview import stored_overview
from towline_api.errors import ConfigError, TransientError
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load

_PATIENCE_SECONDS = 5.0
_LONGEST_ANSWER = 10 * 1024 * 1024


def status(arguments: Sequence[str]) -> int:
    """Show how the agent is; return 0 if it and its add-ons are well, else 1.

    Raises:
        ConfigError: The settings cannot be used, or what answers is no agent.
        TransientError: Nobody answers, or the store cannot be read.
    """
    settings = load(AgentStatusSettings, arguments, prog="towline agent status")
    document = find_document(settings)
    if settings.output is OutputKind.JSON:
        json.dump(document, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        # Here, so that programs do not wait for what only terminals need.
        from rich.console import Console

        from towline_agent.status.table import print_report

        print_report(document, console=Console())
    return 0 if is_well(document) else 1


def find_document(settings: AgentStatusSettings) -> dict[str, Any]:
    """Return the running agent's own report, or one made from what it has stored.

    Raises:
        ConfigError: What answers is no agent.
        TransientError: Nobody answers where we were told to ask, or the store cannot be read.
    """
    if settings.endpoint is not None:
        return ask_agent(settings.endpoint)
    if settings.default_endpoint is not None:
        try:
            return ask_agent(settings.default_endpoint)
        except TransientError:
            pass  # it is not running
    return report_document(asyncio.run(stored_overview(settings)))


def ask_agent(endpoint: str) -> dict[str, Any]:
    """Return what an agent says at its endpoint.

    Raises:
        ConfigError: What answers is no agent.
        TransientError: Nobody answers, or the agent has not begun yet.
    """
    # Through no proxy: it is a pod's address, or this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"{endpoint.rstrip('/')}/status"
    try:
        with opener.open(url, timeout=_PATIENCE_SECONDS) as answer:
            document = json.loads(answer.read(_LONGEST_ANSWER))
    except urllib.error.HTTPError as error:
        raise ConfigError(f"{url} answers {error.code}; is that an agent's endpoint?") from error
    except OSError as error:
        raise TransientError(f"nobody answers at {url}: {error}; does the agent run?") from error
    except ValueError as error:
        raise ConfigError(f"{url} answers with no JSON; is that an agent's endpoint?") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{url} answers with another document; is that an agent's endpoint?")
    if "state" not in document:
        raise TransientError(f"{url}: {document.get('trouble', 'no state in the answer')}")
    return document
