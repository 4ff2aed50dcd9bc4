"""`towline doctor`: whether the hub itself is set up as it should be."""

import asyncio
import json
import sys
from collections.abc import Sequence

from rich.console import Console

from towline_hub.doctor.findings import Diagnosis, diagnosis_json
from towline_hub.doctor.gathering import Doctor
from towline_hub.doctor.report import print_diagnosis
from towline_hub.doctor.settings import DoctorSettings
from towline_kube.client import Client
from towline_kube.discovery import discover_connection
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load

EXIT_WRONG = 1


def doctor(arguments: Sequence[str]) -> int:
    """Examine a hub; return 0 if nothing about it is wrong, else 1."""
    settings = load(DoctorSettings, arguments, prog="towline doctor")
    diagnosis = asyncio.run(_examine(settings))
    if settings.output is OutputKind.JSON:
        json.dump(diagnosis_json(diagnosis), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        print_diagnosis(diagnosis, console=Console())
    return EXIT_WRONG if diagnosis.has_failures else 0


async def _examine(settings: DoctorSettings) -> Diagnosis:
    connection = discover_connection(settings.kubeconfig)
    async with Client(connection, field_manager="towline-cli") as client:
        doctor = Doctor(client, namespace=settings.namespace, hub_user=settings.user)
        return await doctor.examine()
