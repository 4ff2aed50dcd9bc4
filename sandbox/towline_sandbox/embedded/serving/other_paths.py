"""Paths that are no resource: discovery, OpenAPI, health, version, the keys of tokens."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from towline_sandbox.embedded.access.account_tokens import ISSUER
from towline_sandbox.embedded.serving.answers import Answer, HttpRequest, not_found_page
from towline_sandbox.embedded.serving.call_log import CallLog
from towline_sandbox.embedded.serving.forms import as_json
from towline_sandbox.embedded.serving.health import health, version
from towline_sandbox.embedded.serving.metrics import metrics
from towline_sandbox.embedded.serving.objects import method_not_served
from towline_sandbox.embedded.serving.request_info import RequestInfo
from towline_sandbox.embedded.views.discovery import Discovery
from towline_sandbox.embedded.views.documents import Document
from towline_sandbox.embedded.views.openapi import OpenApi

_CACHED = {"Cache-Control": "public, max-age=3600"}
_PATHS = ("/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/healthz", "/livez")


class OtherPaths:
    """Answers requests that are about no resource.

    Args:
        discovery: Knows what is served.
        open_api: Knows what it looks like.
        calls: What was called so far.
        address: Host and port of the server.
        account_key: Verifies the tokens of service accounts.
    """

    def __init__(
        self,
        discovery: Discovery,
        open_api: OpenApi,
        *,
        calls: CallLog,
        address: str,
        account_key: ec.EllipticCurvePublicKey,
    ) -> None:
        self._discovery = discovery
        self._open_api = open_api
        self._calls = calls
        self._address = address
        self._account_key = account_key

    async def answer(self, request: HttpRequest, info: RequestInfo) -> Answer:
        """Return the answer to a request.

        Raises:
            ApiFailure: It is refused.
        """
        probed = health(info.path, request.query)
        if probed is not None:
            return probed
        found = self._document(request, info)
        if found is None:
            return not_found_page()
        if info.method != "GET":
            raise method_not_served()
        return found

    def _document(self, request: HttpRequest, info: RequestInfo) -> Answer | None:
        path = info.path.rstrip("/") or "/"
        match path:
            case "/version":
                return version()
            case "/metrics":
                return metrics(self._calls)
            case "/.well-known/openid-configuration":
                return Answer(200, as_json(self._token_issuer()), headers=_CACHED)
            case "/openid/v1/jwks":
                keys = {"keys": [_web_key(self._account_key)]}
                return Answer(200, as_json(keys), "application/jwk-set+json", _CACHED)
            case "/":
                return Answer(200, as_json({"paths": list(_PATHS)}, pretty=True))
            case _:
                pass
        accept, known = request.headers.get("Accept"), request.headers.get("If-None-Match")
        document = self._discovery.answer(path, accept=accept, if_none_match=known)
        if document is None:
            document = self._open_api.answer(
                path, digest=request.query.get("hash"), accept=accept, if_none_match=known
            )
        return None if document is None else _answer(document)

    def _token_issuer(self) -> dict[str, object]:
        return {
            "issuer": ISSUER,
            "jwks_uri": f"https://{self._address}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }


def _answer(document: Document) -> Answer:
    return Answer(document.status, document.body, document.content_type, document.headers)


def _web_key(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "use": "sig",
        "kty": "EC",
        "kid": _text(hashlib.sha256(encoded).digest()),
        "crv": "P-256",
        "alg": "ES256",
        "x": _text(numbers.x.to_bytes(32, "big")),
        "y": _text(numbers.y.to_bytes(32, "big")),
    }


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
