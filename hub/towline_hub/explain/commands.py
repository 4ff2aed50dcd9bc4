"""`towline explain`: why something is not joined or not available, and what to do about it."""

import asyncio
import json
import sys
from collections.abc import Sequence

from rich.console import Console

from towline_hub.deploying.installed_settings import find_deployment, look_at_settings
from towline_hub.explain.gathering import Explainer
from towline_hub.explain.links import Explanation, explanation_json
from towline_hub.explain.report import print_explanation
from towline_hub.explain.settings import ExplainSettings
from towline_hub.explain.targets import Target, parse_target
from towline_kube.addon_api import choose_codec
from towline_kube.client import Client
from towline_kube.discovery import discover_connection
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load

EXIT_BROKEN = 1


def explain(arguments: Sequence[str]) -> int:
    """Explain one thing; return 0 if no link of its chain is broken, else 1."""
    settings = load(ExplainSettings, arguments, prog="towline explain")
    found = asyncio.run(_explain(settings, parse_target(settings.target)))
    if settings.output is OutputKind.JSON:
        json.dump(explanation_json(found), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        print_explanation(found, console=Console())
    return 0 if found.broken is None else EXIT_BROKEN


async def _explain(settings: ExplainSettings, target: Target) -> Explanation:
    connection = discover_connection(settings.kubeconfig)
    async with Client(connection, field_manager="towline-cli") as client:
        deployment = await find_deployment(client, namespace=settings.namespace)
        installed = await look_at_settings(client, deployment, namespace=settings.namespace)
        explainer = Explainer(
            client,
            codec=await choose_codec(client),
            rules=installed.settings.approval_rules,
            declarations=installed.settings.addon_declarations,
            signers=installed.settings.signers,
            namespace=installed.settings.namespace,
        )
        return await explainer.explain(target)
