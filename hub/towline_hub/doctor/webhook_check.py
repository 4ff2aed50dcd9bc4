"""Checks of the webhook that converts add-ons between API versions.

Pure: facts in, findings out.
"""

from collections.abc import Sequence
from datetime import datetime

from towline_api.resources import KubeObject, Resource
from towline_hub.doctor.credential_checks import authority_check
from towline_hub.doctor.findings import Finding, fail, ok, unseen
from towline_hub.looking import Unseen

ENDPOINT_SLICES = Resource(
    "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", namespaced=True
)
SERVICE_LABEL = "kubernetes.io/service-name"


def webhook_client(crd: KubeObject | Unseen | None) -> dict[str, object] | None:
    """Return how a CRD says its conversion webhook is reached; None if it names none."""
    if not isinstance(crd, dict):
        return None
    conversion = (crd.get("spec") or {}).get("conversion") or {}
    if conversion.get("strategy") != "Webhook":
        return None
    client: dict[str, object] = (conversion.get("webhook") or {}).get("clientConfig") or {}
    return client


def webhook_service(client: dict[str, object] | None) -> tuple[str, str] | None:
    """Return namespace and name of the Service a webhook is reached by, if it is one."""
    service = (client or {}).get("service")
    if not isinstance(service, dict):
        return None
    return str(service.get("namespace")), str(service.get("name"))


def webhook_checks(
    client: dict[str, object] | None,
    slices: Sequence[KubeObject] | Unseen,
    *,
    now: datetime,
) -> list[Finding]:
    """Return whether the webhook is there and can prove who it is.

    Args:
        client: How the CRD of ManagedClusterAddOns says it is reached; None if it names none.
        slices: The EndpointSlices of its Service.
        now: The present.
    """
    check = "conversion webhook"
    if client is None:
        return [ok(check, "the CRD of add-ons names none, and nothing needs converting")]
    findings = [
        authority_check(
            "webhook authority",
            str(client.get("caBundle") or ""),
            now=now,
            fix="whoever serves the webhook writes its authority into the CRD: for towline's own "
            "that is the hub that leads; look at its log",
        )
    ]
    service = webhook_service(client)
    if service is None:
        return [ok(check, f"it is served at {client.get('url')}"), *findings]
    where = "/".join(service)
    if isinstance(slices, Unseen):
        return [unseen(check, slices), *findings]
    ready = sum(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for item in slices
        for endpoint in item.get("endpoints") or ()
    )
    if ready == 0:
        return [
            fail(
                check,
                f"nobody answers behind Service {where}: add-ons cannot be read in the version "
                "that has to be converted",
                fix="start whoever serves it; for Service towline-hub-webhook that is the hub",
            ),
            *findings,
        ]
    return [ok(check, f"{ready} behind Service {where}"), *findings]
