"""What a plane is seen doing before anybody gets to use it.

`/readyz` alone says little: the controllers run in another process, and a hub that starts before
they do would wait for certificates that nobody signs yet.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from towline_api.names import CLIENT_CERTIFICATE_USAGES, KUBE_CLIENT_SIGNER
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    SELF_SUBJECT_REVIEWS,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_sandbox.own_api import OwnApi
from towline_sandbox.plane import ReadinessCheck

_POLL = timedelta(milliseconds=25)
_TRIAL = "towline-sandbox-trial"
_MERGE_PATCH = "application/merge-patch+json"


class Prover:
    """Looks at a plane until it has been seen doing what it should.

    Args:
        api: Its API server, as `user`.
        user: Whom the server has to recognize.
        check_alive: Raises when one of the plane's programs has ended: no point in waiting then.
    """

    def __init__(self, api: OwnApi, *, user: str, check_alive: Callable[[], None]) -> None:
        self._api = api
        self._user = user
        self._check_alive = check_alive
        self._started = time.monotonic()
        self.seen: list[ReadinessCheck] = []

    async def until_serving(self) -> None:
        """Wait until the API server answers, and has all it needs to serve its controllers."""
        await self._wait_for("API server answers", self._answers)
        await self._wait_for("API server is ready", self._ready)

    async def until_ready(self, *, trial_request: bytes) -> None:
        """Wait until the plane does everything that is expected of it.

        Args:
            trial_request: A certificate request (PEM) to try the signer with.
        """
        await self._wait_for("client certificate is recognized", self._recognized)
        await self._wait_for(
            "default service account exists",
            partial(self._exists, SERVICE_ACCOUNTS.path(namespace="default", name="default")),
        )
        await self._wait_for(
            "root CA is published",
            partial(self._exists, CONFIG_MAPS.path(namespace="default", name="kube-root-ca.crt")),
        )
        await self._try_signer(trial_request)

    async def version(self) -> str:
        """Return what the server calls itself."""
        answer = await self._api.call("GET", "/version")
        return str(answer.body["gitVersion"]) if answer else "unknown"

    async def _wait_for(self, name: str, check: Callable[[], Awaitable[bool]]) -> None:
        while not await check():
            self._check_alive()
            await asyncio.sleep(_POLL.total_seconds())
        after = timedelta(seconds=time.monotonic() - self._started)
        self.seen.append(ReadinessCheck(name, after))

    async def _answers(self) -> bool:
        return await self._api.call("GET", "/livez") is not None

    async def _ready(self) -> bool:
        answer = await self._api.call("GET", "/readyz")
        return answer is not None and answer.status == HTTPStatus.OK

    async def _recognized(self) -> bool:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self._api.call("POST", SELF_SUBJECT_REVIEWS.path(), body=review)
        if answer is None or answer.status != HTTPStatus.CREATED:
            return False
        found: str = answer.body["status"]["userInfo"]["username"]
        return found == self._user

    async def _exists(self, path: str) -> bool:
        answer = await self._api.call("GET", path)
        return answer is not None and answer.status == HTTPStatus.OK

    async def _try_signer(self, request: bytes) -> None:
        """Have one certificate signed, which is what the plane is for, and leave no trace of it."""
        trial = _signing_request(request)
        one = CERTIFICATE_SIGNING_REQUESTS.path(name=_TRIAL)
        approval: KubeObject = {
            "status": {
                "conditions": [
                    {"type": "Approved", "status": "True", "reason": "Trial", "message": _TRIAL}
                ]
            }
        }

        async def approved() -> bool:
            await self._api.call("POST", CERTIFICATE_SIGNING_REQUESTS.path(), body=trial)
            answer = await self._api.call(
                "PATCH", f"{one}/approval", body=approval, content_type=_MERGE_PATCH
            )
            return answer is not None and answer.status == HTTPStatus.OK

        async def signed() -> bool:
            answer = await self._api.call("GET", one)
            return bool(answer and answer.body.get("status", {}).get("certificate"))

        try:
            await self._wait_for("certificate request is approved", approved)
            await self._wait_for("approved request is signed", signed)
        finally:
            await self._api.call("DELETE", one)  # limited by the session's own timeout


def _signing_request(request: bytes) -> KubeObject:
    return {
        "apiVersion": CERTIFICATE_SIGNING_REQUESTS.api_version,
        "kind": CERTIFICATE_SIGNING_REQUESTS.kind,
        "metadata": {"name": _TRIAL},
        "spec": {
            "request": base64.b64encode(request).decode("ascii"),
            "signerName": KUBE_CLIENT_SIGNER,
            "usages": list(CLIENT_CERTIFICATE_USAGES),
        },
    }
