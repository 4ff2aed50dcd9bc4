"""A Pod runs as a service account that is there, or it does not come to be."""

from towline_api.resources import PODS, SERVICE_ACCOUNTS, KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import forbidden
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.store import Store

_PODS_KEY = StorageKey(PODS.group, PODS.plural)
_ACCOUNTS_KEY = StorageKey(SERVICE_ACCOUNTS.group, SERVICE_ACCOUNTS.plural)


class PodAccounts:
    """An admission that looks for the account of every new Pod.

    Args:
        store: Where accounts are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, call: Call, new: KubeObject | None, old: KubeObject | None) -> None:
        """Refuse a Pod whose account does not exist.

        Raises:
            ApiFailure: There is no such account in the Pod's namespace.
        """
        if new is None or old is not None or call.kind.storage_key != _PODS_KEY:
            return
        name, namespace = new["spec"].get("serviceAccountName", "default"), call.namespace
        if self._store.find(_ACCOUNTS_KEY, namespace=namespace, name=name) is None:
            raise forbidden(
                call.kind.resource,
                new["metadata"].get("name"),
                f"error looking up service account {namespace}/{name}: serviceaccount "
                f'"{name}" not found',
            )
