"""Certificate requests for tests: objects, and what is done with them."""

import base64
from collections.abc import Sequence
from typing import Any

from conformance.api import Api
from support.waiting import until
from towline_api.names import CLIENT_CERTIFICATE_USAGES, KUBE_CLIENT_SIGNER
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_certs import PrivateKey, Subject, build_request, generate_key

PATH = CERTIFICATE_SIGNING_REQUESTS.path()
OTHER_SIGNER = "example.com/other"


def path_of(name: str, subresource: str | None = None) -> str:
    """Return where a request lives."""
    return CERTIFICATE_SIGNING_REQUESTS.path(name=name, subresource=subresource)


def request_object(
    name: str,
    *,
    user: str = "somebody",
    groups: Sequence[str] = (),
    key: PrivateKey | None = None,
    signer: str = KUBE_CLIENT_SIGNER,
    usages: Sequence[str] = CLIENT_CERTIFICATE_USAGES,
    **spec: Any,
) -> KubeObject:
    """Return a request for a certificate of this user."""
    pem = build_request(key or generate_key(), subject=Subject(user, frozenset(groups)))
    return {
        "apiVersion": CERTIFICATE_SIGNING_REQUESTS.api_version,
        "kind": CERTIFICATE_SIGNING_REQUESTS.kind,
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "signerName": signer,
            "usages": list(usages),
            **spec,
        },
    }


def condition(kind: str, *, reason: str = "Because", message: str = "so it is") -> KubeObject:
    """Return a condition as approvers and signers write it."""
    return {"type": kind, "status": "True", "reason": reason, "message": message}


async def create(api: Api, name: str, **request: Any) -> KubeObject:
    """Create a request."""
    return (await api.post(PATH, request_object(name, **request))).ok(201)


async def decide(api: Api, request: KubeObject, kind: str = "Approved") -> KubeObject:
    """Approve or deny a request."""
    changed = {**request, "status": {"conditions": [condition(kind)]}}
    return (await api.put(path_of(request["metadata"]["name"], "approval"), changed)).ok()


async def until_issued(api: Api, name: str) -> bytes:
    """Wait until a request has its certificate, and return that as PEM."""
    seen: list[KubeObject] = []

    async def issued() -> str:
        seen.append((await api.get(path_of(name))).ok())
        found: str = seen[-1]["status"].get("certificate", "")
        return found

    return base64.b64decode(await until(issued, what=lambda: seen[-1]["status"]))
