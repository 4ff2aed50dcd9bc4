"""From a request to a certificate, as an administrator of a real server has it made."""

import base64

from support.raw_api import RawApi
from support.waiting import until
from towline_api.names import CLIENT_CERTIFICATE_USAGES, KUBE_CLIENT_SIGNER
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_certs.identities import Subject
from towline_certs.keys import format_key, generate_key
from towline_certs.requests import build_request

REQUESTS = CERTIFICATE_SIGNING_REQUESTS.path()
MERGE_PATCH = "application/merge-patch+json"


async def sign(
    api: RawApi, name: str, *, subject: Subject, expiration_seconds: int | None = None
) -> tuple[bytes, bytes]:
    """Have a request approved and signed; return certificate and key."""
    key = generate_key()
    spec: KubeObject = {
        "request": base64.b64encode(build_request(key, subject=subject)).decode(),
        "signerName": KUBE_CLIENT_SIGNER,
        "usages": list(CLIENT_CERTIFICATE_USAGES),
    }
    if expiration_seconds is not None:
        spec["expirationSeconds"] = expiration_seconds
    created = await api.call("POST", REQUESTS, {"metadata": {"name": name}, "spec": spec})
    assert created.status == 201, created.text
    approval = {"type": "Approved", "status": "True", "reason": "Test", "message": "test"}
    patch: KubeObject = {"status": {"conditions": [approval]}}
    path = f"{REQUESTS}/{name}/approval"
    assert (await api.call("PATCH", path, patch, content_type=MERGE_PATCH)).status == 200

    async def certificate() -> str | None:
        answer = await api.call("GET", f"{REQUESTS}/{name}")
        found: str | None = answer.body["status"].get("certificate")
        return found

    issued = await until(certificate, what=lambda: "the certificate")
    return base64.b64decode(issued or ""), format_key(key)
