"""CustomResourceDefinitions: kinds that come and go while the server runs."""

from towline_sandbox.embedded.custom.conversion import WebhookCaller, WebhookUnreachable
from towline_sandbox.embedded.custom.decoding import decode
from towline_sandbox.embedded.custom.definitions import (
    CRD_TRAITS,
    check_crd,
    complete_crd,
    fill_crd,
)
from towline_sandbox.embedded.custom.departing import CRD_KEY
from towline_sandbox.embedded.custom.served import kinds_of

__all__ = [
    "CRD_KEY",
    "CRD_TRAITS",
    "WebhookCaller",
    "WebhookUnreachable",
    "check_crd",
    "complete_crd",
    "decode",
    "fill_crd",
    "kinds_of",
]
