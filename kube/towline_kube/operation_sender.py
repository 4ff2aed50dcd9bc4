"""Sending a client's operations, whatever they are."""

from collections import Counter

from towline_api.resources import KubeObject
from towline_kube.answers import parse_object
from towline_kube.caller import Caller
from towline_kube.connection import Connection
from towline_kube.errors import Attempt
from towline_kube.operations import Operation


class OperationSender:
    """What every verb of a client goes through.

    Args:
        caller: Makes the requests.
        field_manager: Owner of the fields that are written.
    """

    def __init__(self, caller: Caller, *, field_manager: str) -> None:
        self._caller = caller
        self._field_manager = field_manager

    @property
    def connection(self) -> Connection:
        """The connection that new calls use."""
        return self._caller.connection

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """How often which verb was sent for which resource, as `("get", "secrets")`."""
        return self._caller.calls

    @property
    def field_manager(self) -> str:
        """Owner of the fields this client writes."""
        return self._field_manager

    async def _call(self, operation: Operation) -> KubeObject:
        return parse_object(*await self._send(operation))

    async def _send(self, operation: Operation) -> tuple[Attempt, bytes]:
        attempt = operation.attempt_on(self.connection.host)
        request = operation.request_by(self._field_manager)
        answer = await self._caller.send(
            attempt, request, counted=operation.counted, repeat=operation.repeat
        )
        return attempt, answer
