"""Puts into every namespace what Kubernetes puts there: an account and the authority to trust."""

from collections.abc import Callable
from typing import NoReturn

from towline_api.resources import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.running import passes
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store

DEFAULT_ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"

_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)

_NAMESPACES = StorageKey("", NAMESPACES.plural)
_ACCOUNTS = StorageKey("", SERVICE_ACCOUNTS.plural)
_CONFIG_MAPS = StorageKey("", CONFIG_MAPS.plural)


class NamespaceBasics:
    """Keeps the default ServiceAccount and the root certificate in every namespace.

    Args:
        store: Where they are.
        calls: Writes them.
        ca_pem: Returns the certificates that the server's own certificate is verified with.
    """

    def __init__(self, store: Store, *, calls: OwnCalls, ca_pem: Callable[[], bytes]) -> None:
        self._store = store
        self._calls = calls
        self._ca_pem = ca_pem
        self._passes = passes("furnish-namespaces", self._furnish)

    def note(self, change: Change) -> None:
        """Look at a namespace that changed, or lost one of the two."""
        metadata = change.object["metadata"]
        if change.key == _NAMESPACES:
            if change.type is not ChangeType.DELETED:
                self._passes.enqueue(metadata["name"])
        elif (change.key, metadata["name"]) in (
            (_ACCOUNTS, DEFAULT_ACCOUNT),
            (_CONFIG_MAPS, ROOT_CA),
        ):
            self._passes.enqueue(metadata["namespace"])

    def look_at_everything(self) -> None:
        """Look at all namespaces."""
        for namespace in self._store.objects(_NAMESPACES):
            self._passes.enqueue(namespace["metadata"]["name"])

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._passes.run()

    async def _furnish(self, namespace: str) -> Result:
        found = self._store.find(_NAMESPACES, namespace=None, name=namespace)
        if found is None or found["status"].get("phase") == "Terminating":
            return DONE
        if self._store.find(_ACCOUNTS, namespace=namespace, name=DEFAULT_ACCOUNT) is None:
            await self._calls.create(
                SERVICE_ACCOUNTS,
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": {"name": DEFAULT_ACCOUNT, "namespace": namespace},
                },
            )
        published = self._store.find(_CONFIG_MAPS, namespace=namespace, name=ROOT_CA)
        wanted = {"ca.crt": self._ca_pem().decode()}
        if published is None:
            await self._calls.create(
                CONFIG_MAPS,
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": ROOT_CA,
                        "namespace": namespace,
                        "annotations": {"kubernetes.io/description": _DESCRIPTION},
                    },
                    "data": wanted,
                },
            )
        elif published.get("data") != wanted:
            await self._calls.update(CONFIG_MAPS, {**published, "data": wanted})
        return DONE
