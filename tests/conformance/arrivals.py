"""Waiting for what controllers make a moment after a namespace was made."""

from conformance.api import Api
from conformance.objects import CONFIG_MAPS
from support.waiting import until
from towline_api.resources import SERVICE_ACCOUNTS


async def until_account(api: Api, namespace: str) -> None:
    """Wait for the namespace's default account: pods are not taken before."""
    await _until_there(api, SERVICE_ACCOUNTS.path(namespace=namespace, name="default"))


async def until_root_ca(api: Api, namespace: str) -> None:
    """Wait for the copy of the cluster's authority, which lists of ConfigMaps show."""
    await _until_there(api, CONFIG_MAPS.path(namespace=namespace, name="kube-root-ca.crt"))


async def _until_there(api: Api, path: str) -> None:
    async def there() -> bool:
        return (await api.get(path)).status == 200

    await until(there, what=lambda: f"no {path}")
