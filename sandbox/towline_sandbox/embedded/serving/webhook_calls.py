"""Calls to conversion webhooks: the reviews that a CustomResourceDefinition has sent."""

import asyncio
import base64
import ssl

import aiohttp

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom import WebhookUnreachable

_LIMIT_SECONDS = 30.0  # Kubernetes' own


class WebhookCalls:
    """Sends reviews to webhooks."""

    def __init__(self) -> None:
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def call(self, config: KubeObject, review: KubeObject) -> KubeObject:
        """Send a review and return the answer.

        Args:
            config: `clientConfig` of the webhook.
            review: What it is asked.

        Raises:
            WebhookUnreachable: There is no address, no connection or no good answer.
        """
        url = config.get("url")
        if not url:
            raise WebhookUnreachable(
                "the embedded control plane has no network of services; give the webhook a url"
            )
        # As Kubernetes asks: the webhook is told how long the server waits.
        asked = f"{url}{'&' if '?' in url else '?'}timeout={_LIMIT_SECONDS:.0f}s"
        try:
            session = self._session(config.get("caBundle") or "")
            async with (
                asyncio.timeout(_LIMIT_SECONDS),
                session.post(asked, json=review) as response,
            ):
                if response.status >= 300:
                    raise WebhookUnreachable(
                        f"an error on the server ({(await response.text())[:1024]!r}) has "
                        "prevented the request from succeeding"
                    )
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError, ssl.SSLError) as error:
            raise WebhookUnreachable(f'Post "{asked}": {_in_go_words(error)}') from error
        if not isinstance(answer, dict):
            raise WebhookUnreachable(f'Post "{asked}": the answer is no object')
        return answer

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, ca_bundle: str) -> aiohttp.ClientSession:
        session = self._sessions.get(ca_bundle)
        if session is None:
            context = ssl.create_default_context(
                cadata=base64.b64decode(ca_bundle).decode() if ca_bundle else None
            )
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context),
                timeout=aiohttp.ClientTimeout(total=None),  # `call` limits each
            )
            self._sessions[ca_bundle] = session
        return session


def _in_go_words(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "context deadline exceeded"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return f"dial tcp {error.host}:{error.port}: connect: connection refused"
        case aiohttp.ClientConnectorCertificateError():
            return f"tls: failed to verify certificate: x509: {error.certificate_error}"
        case _:
            return str(error)
