"""Namespaces with all that the cluster's controllers put into every one."""

from conformance.api import Api
from conformance.objects import CONFIG_MAPS
from support.waiting import until
from towline_api.resources import NAMESPACES, SERVICE_ACCOUNTS


async def make_namespace(api: Api, name: str) -> None:
    """Make a namespace, and wait for its default account and its copy of the authority.

    Controllers make both a moment later: then lists and watches of the test would show them at
    any time, and pods are not taken before there is an account.
    """
    (await api.post(NAMESPACES.path(), {"metadata": {"name": name}})).ok(201)
    for path in (
        SERVICE_ACCOUNTS.path(namespace=name, name="default"),
        CONFIG_MAPS.path(namespace=name, name="kube-root-ca.crt"),
    ):
        await _until_there(api, path)


async def _until_there(api: Api, path: str) -> None:
    async def there() -> bool:
        return (await api.get(path)).status == 200

    await until(there, what=lambda: f"no {path}")
