"""From a request to its answer: who calls, may they, what goes wrong on purpose, the answer."""

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from towline_sandbox.embedded.faults import Faults, Seen
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.failures import ApiFailure, internal_error
from towline_sandbox.embedded.serving.answers import NO_SNIFF, Answer, HttpRequest, StreamAnswer
from towline_sandbox.embedded.serving.call_log import CallLog, CallRecord
from towline_sandbox.embedded.serving.forms import as_json, refusal_form
from towline_sandbox.embedded.serving.gate import Gate
from towline_sandbox.embedded.serving.objects import ObjectPaths
from towline_sandbox.embedded.serving.other_paths import OtherPaths
from towline_sandbox.embedded.serving.request_info import RequestInfo, read_request

log = logging.getLogger(__name__)


class Pipeline:
    """Answers requests.

    Args:
        gate: Knows callers and what they may do.
        objects: Answers requests about objects.
        others: Answers all others.
        faults: What goes wrong on purpose.
        calls: Gets a record of every call.
        now: The clock.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        objects: ObjectPaths,
        others: OtherPaths,
        faults: Faults,
        calls: CallLog,
        now: Callable[[], datetime],
    ) -> None:
        self._gate = gate
        self._objects = objects
        self._others = others
        self._faults = faults
        self._calls = calls
        self._now = now

    async def handle(self, request: HttpRequest) -> tuple[Answer | StreamAnswer, Seen]:
        """Return the answer to a request, and what the request was.

        Raises:
            CallLost: The connection is to be closed without an answer.
        """
        info = read_request(request.method, request.path, request.query)
        record = CallRecord(info, request.target, "", request.user_agent, self._now())
        self._calls.note(record)
        warnings: list[str] = []
        seen = _seen(info, request, None)
        try:
            user = self._gate.identify(request, warnings=warnings)
            user = self._gate.act_as(request, info, user)
            record.user = user.name
            seen = _seen(info, request, user)
            answer = await self._faults.around(
                seen, lambda: self._answered(request, info, user, warnings)
            )
        except ApiFailure as failure:
            answer = _refusal(request, failure)
        finally:
            record.is_decided = True
        record.code = answer.status
        return _with_headers(answer, warnings), seen

    async def _answered(
        self, request: HttpRequest, info: RequestInfo, user: User, warnings: list[str]
    ) -> Answer | StreamAnswer:
        try:
            self._gate.check(user, info)
        except ApiFailure as failure:
            return replace(_refusal(request, failure), headers=NO_SNIFF)
        try:
            if info.is_resource:
                return await self._objects.answer(request, info, user, warnings)
            return await self._others.answer(request, info)
        except ApiFailure as failure:
            return _refusal(request, failure)
        except Exception:
            log.exception("call failed", extra={"object": request.target})
            return _refusal(request, internal_error("the embedded control plane has a bug"))


def _seen(info: RequestInfo, request: HttpRequest, user: User | None) -> Seen:
    return Seen(
        verb=info.verb,
        resource=info.qualified.partition("/")[0] if info.is_resource else "",
        subresource=info.subresource,
        namespace=info.namespace,
        name=info.name,
        path=info.path,
        user=user.name if user is not None else "",
        groups=user.groups if user is not None else (),
        user_agent=request.user_agent,
    )


def _refusal(request: HttpRequest, failure: ApiFailure) -> Answer:
    accept = request.headers.get("Accept")
    form = refusal_form(accept, query=request.query, user_agent=request.user_agent)
    status = failure.status()
    headers = {}
    if failure.retry_after_seconds is not None:
        headers["Retry-After"] = str(failure.retry_after_seconds)
    # Refusals of the form itself are written to be read.
    pretty = form.pretty or (failure.code == 406 and form.media_type.endswith("json"))
    body = as_json(status, pretty=True) if pretty else form.encode(status)
    return Answer(failure.code, body, form.media_type, headers)


def _with_headers(answer: Answer | StreamAnswer, warnings: list[str]) -> Answer | StreamAnswer:
    headers = {
        "Audit-Id": str(uuid.uuid4()),
        "Cache-Control": "no-cache, private",
        **answer.headers,
    }
    if warnings:
        # One header, since the order of several is kept in a list all the same.
        headers["Warning"] = ", ".join(_warning(text) for text in dict.fromkeys(warnings))
    return replace(answer, headers=headers)


def _warning(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'299 - "{escaped}"'
