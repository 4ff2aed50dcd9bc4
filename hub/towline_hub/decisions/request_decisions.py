"""Writing a person's decision onto a certificate request."""

from towline_api.errors import TowlineError
from towline_api.metadata import name_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_api.timestamps import format_time
from towline_certs.signing_requests import SigningRequest
from towline_hub.approval.decision_record import decided
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.errors import Conflict, NotFound


class DecidedOtherwiseError(TowlineError):
    """A request was changed or decided by somebody else while a person was deciding."""


async def conclude_request(
    client: Client, obj: KubeObject, *, condition: str, reason: str, message: str, clock: Clock
) -> None:
    """Approve or deny a request; fine if somebody else decided the same meanwhile.

    Args:
        client: Whom to ask, as the person.
        obj: The request as it was judged.
        condition: `Approved` or `Denied`.
        reason: One word.
        message: One line: who decided, and why.
        clock: Where time comes from.

    Raises:
        DecidedOtherwiseError: Somebody else decided otherwise, or changed or deleted the request.
    """
    body = decided(
        obj,
        condition=condition,
        reason=reason,
        message=message,
        now=format_time(clock.now()),
    )
    try:
        await client.replace(CERTIFICATE_SIGNING_REQUESTS, body, subresource="approval")
    except (Conflict, NotFound):
        name = name_of(obj)
        live = await client.find(CERTIFICATE_SIGNING_REQUESTS, name)
        decisions = set() if live is None else set(SigningRequest.from_csr(live).decisions)
        if condition in decisions:
            return
        found = "deleted" if live is None else ", ".join(sorted(decisions)).lower() or "changed"
        raise DecidedOtherwiseError(
            f"request {name} was {found} by somebody else meanwhile; look at it with "
            "`towline status`, then decide again"
        ) from None
