"""Certificate requests that wait, read once: looking at one again costs no second reading."""

from collections import OrderedDict

from towline_api.metadata import name_of
from towline_certs.policy import OpenedRequest
from towline_certs.signing_requests import SigningRequest
from towline_kube.cache import Cache
from towline_kube.store import Change

MOST = 1_000
"""How many are kept: more than are ever under way, and a few megabytes at most."""


class OpenedRequests:
    """The requests read last.

    Args:
        requests: The certificate requests; what is decided or gone among them is forgotten.
    """

    def __init__(self, requests: Cache) -> None:
        self._opened: OrderedDict[str, OpenedRequest] = OrderedDict()
        requests.on_change(self._forget_done)

    def of(self, request: SigningRequest) -> OpenedRequest:
        """Return a request with its bytes read, as soon as they have been once."""
        known = self._opened.get(request.name)
        if known is not None and known.request == request:
            return known
        opened = self._opened[request.name] = OpenedRequest(request)
        self._opened.move_to_end(request.name)
        while len(self._opened) > MOST:
            self._opened.popitem(last=False)
        return opened

    def _forget_done(self, change: Change) -> None:
        # Whatever its status says, nobody needs to read it again soon.
        if change.new is None or change.new.get("status"):
            self._opened.pop(name_of(change.object), None)
