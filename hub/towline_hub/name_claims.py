"""Who is just being given a cluster's name: what the caches will only know in a moment.

Requests are decided about side by side, and an approval comes back by a watch. Without this, two
agents that ask for one new name at once could both be given it.
"""

from towline_api.metadata import name_of
from towline_api.resources import KubeObject
from towline_certs.signing_requests import SigningRequest
from towline_kube.cache import Cache
from towline_kube.store import Change


class NameClaims:
    """The names that requests are about to get, or got a moment ago.

    Args:
        requests: The certificate requests.
    """

    def __init__(self, requests: Cache) -> None:
        self._holders: dict[str, str] = {}
        requests.on_change(self._forget_known)

    def is_held_by_another(self, cluster: str, *, than: str) -> bool:
        """Return whether a request other than `than` is being given the cluster's name."""
        return self._holders.get(cluster, than) != than

    def hold(self, cluster: str, *, request: str) -> None:
        """Note that a request is going to be approved for a cluster's name."""
        self._holders[cluster] = request

    def release(self, cluster: str, *, request: str) -> bool:
        """Note that it is not after all; return whether it held the name."""
        if self._holders.get(cluster) != request:
            return False
        del self._holders[cluster]
        return True

    def _forget_known(self, change: Change) -> None:
        if change.new is None or _is_decided(change.new):
            cluster = SigningRequest.from_csr(change.object).cluster
            if cluster is not None:
                self.release(cluster, request=name_of(change.object))


def _is_decided(obj: KubeObject) -> bool:
    return SigningRequest.from_csr(obj).is_decided
