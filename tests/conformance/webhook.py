"""A conversion webhook on this machine, played by the test itself."""

import asyncio
import base64
import copy
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from towline_api.resources import KubeObject
from towline_certs.authority import SERVER_ONLY, create_authority
from towline_certs.identities import Subject
from towline_certs.keys import format_key, generate_key
from towline_sandbox.embedded.serving.connections import Connections

_LIFETIME = timedelta(hours=1)


@dataclass(slots=True)
class ConversionWebhook:
    """A running webhook.

    Args:
        url: Where it is.
        ca_pem: The authority of its certificate.
        reviews: Every request it got, as `ConversionReview` objects.
        answer: Makes the `response` of a review, but for its uid.
    """

    url: str
    ca_pem: bytes
    reviews: list[KubeObject] = field(default_factory=list)
    answer: Callable[[KubeObject], KubeObject] = field(default_factory=lambda: rename_size)

    def conversion(self) -> KubeObject:
        """Return the `conversion` of a definition that uses it."""
        return {
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v1"],
                "clientConfig": {
                    "url": self.url,
                    "caBundle": base64.b64encode(self.ca_pem).decode(),
                },
            },
        }

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one review."""
        review: KubeObject = await request.json()
        self.reviews.append(review)
        response = {"uid": review["request"]["uid"], **self.answer(review["request"])}
        return web.json_response(
            {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}
        )


def rename_size(request: KubeObject) -> KubeObject:
    """Convert: `spec.size` of v1 is `spec.width` in v2."""
    wanted = request["desiredAPIVersion"]
    converted = copy.deepcopy(request["objects"])
    for item in converted:
        old, new = ("size", "width") if wanted.endswith("/v2") else ("width", "size")
        spec = item.get("spec", {})
        if old in spec:
            spec[new] = spec.pop(old)
        item["apiVersion"] = wanted
    return {"result": {"status": "Success"}, "convertedObjects": converted}


@asynccontextmanager
async def serve_conversions(folder: Path) -> AsyncIterator[ConversionWebhook]:
    """Run a webhook; its key lies in this folder."""
    now = datetime.now(UTC)
    authority = create_authority(
        "conformance webhooks", now=now, lifetime=_LIFETIME, backdate=timedelta(minutes=5)
    )
    key = generate_key()
    certificate = authority.issue(
        key.public_key(),
        subject=Subject("webhook", frozenset()),
        now=now,
        lifetime=_LIFETIME,
        ip_addresses=("127.0.0.1",),
        usages=SERVER_ONLY,
        backdate=timedelta(minutes=5),
    )
    pair = folder / "webhook.pem"
    pair.write_bytes(certificate + b"\n" + format_key(key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)

    webhook = ConversionWebhook("", authority.certificate_pem)
    connections = Connections(webhook.handle, access_log=None)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(connections, "127.0.0.1", 0, ssl=context)
    try:
        port = listener.sockets[0].getsockname()[1]
        webhook.url = f"https://127.0.0.1:{port}/convert"
        yield webhook
    finally:
        listener.close()
        # Controllers of the real server may be about to ask for a conversion just now.
        connections.abort()
        await connections.shutdown(timeout=0)
        # Until TLS is agreed on, asyncio has a task of its own for a connection.
        tasks = asyncio.all_tasks()
        agreeing = [task for task in tasks if "_accept_connection" in repr(task.get_coro())]
        if agreeing:
            await asyncio.wait(agreeing)
