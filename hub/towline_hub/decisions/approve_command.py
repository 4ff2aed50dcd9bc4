"""`towline approve`: a person approves one certificate request."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence

from towline_hub.decisions.approve_request import ApproveReport, approve_request
from towline_hub.decisions.cluster_settings import ApproveSettings
from towline_hub.decisions.operator_client import operator_client
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load


def approve(arguments: Sequence[str]) -> int:
    """Approve a request that waits for a person; return the exit status."""
    settings = load(ApproveSettings, arguments, prog="towline approve")
    report = asyncio.run(_approve(settings))
    if settings.output is OutputKind.JSON:
        json.dump(dataclasses.asdict(report), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print(approve_line(report))  # noqa: T201 - what was asked for
    return 0


async def _approve(settings: ApproveSettings) -> ApproveReport:
    async with operator_client(settings.kubeconfig) as client:
        return await approve_request(client, settings.request)


def approve_line(report: ApproveReport) -> str:
    """Return what approving a request did, in a line for a terminal."""
    state = "approved" if report.newly_approved else "approved already"
    return f"request {report.request} by {report.requester}: {state}: {report.message}"
