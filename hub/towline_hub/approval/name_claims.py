"""Who is just being given a cluster's name: what the caches will only know in a moment.

Requests are decided about side by side, and an approval comes back by a watch. Without this, two
agents that ask for one new name at once could both be given it.
"""

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
        self._held: dict[str, str] = {}
        requests.on_change(self._forget_known)

    def is_held_by_another(self, cluster: str, *, than: str) -> bool:
        """Return whether a request other than `than` is being given the cluster's name."""
        return self._holders.get(cluster, than) != than

    def hold(self, cluster: str, *, request: str) -> None:
        """Note that a request is going to be approved for a cluster's name."""
        self._held.pop(self._holders.get(cluster, ""), None)
        self._holders[cluster] = request
        self._held[request] = cluster

    def release(self, cluster: str, *, request: str) -> bool:
        """Note that it is not after all; return whether it held the name."""
        if self._holders.get(cluster) != request:
            return False
        del self._holders[cluster]
        del self._held[request]
        return True

    def _forget_known(self, change: Change) -> None:
        name = change.key.name
        cluster = self._held.get(name)
        if cluster is None:
            return
        if change.new is None or SigningRequest.from_csr(change.new).is_decided:
            self.release(cluster, request=name)
