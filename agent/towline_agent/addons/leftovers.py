"""Finding and removing what we made for add-ons on the managed cluster.

Everything is found by its labels, so nothing is forgotten that an earlier process made; and only
what proves to be ours is deleted, under the condition that it is still what was looked at.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Collection

from towline_agent.applying.ownership import Claim, Owner, cluster_selector
from towline_api.metadata import (
    ObjectKey,
    is_being_deleted,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    resource_version_of,
    uid_of,
)
from towline_api.names import ADDON_NAME_LABEL
from towline_api.resources import CONFIG_MAPS, LEASES, SECRETS, KubeObject, Resource
from towline_kube.client import Client
from towline_kube.errors import Conflict, Forbidden

log = logging.getLogger(__name__)

KINDS = (SECRETS, CONFIG_MAPS, LEASES)
"""What we make for add-ons."""


class AddonLeftovers:
    """What we made for add-ons, wherever it is.

    Args:
        client: The managed cluster.
        cluster: Its name on the hub.
        namespaces: Returns the namespaces to look in, where looking everywhere is not permitted.
    """

    def __init__(
        self, client: Client, *, cluster: str, namespaces: Callable[[], Collection[str]]
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._namespaces = namespaces
        self._may_look_everywhere: bool | None = None
        self._first_look = asyncio.Lock()
        self._refused: set[str] = set()

    async def addons(self) -> frozenset[str]:
        """Return the names of the add-ons we have made anything for.

        Raises:
            TowlineError: The managed cluster could not be asked.
        """
        selector = cluster_selector(self._cluster)
        found = [obj for kind in KINDS for obj in await self._list(kind, selector)]
        return frozenset(filter(None, (labels_of(obj).get(ADDON_NAME_LABEL) for obj in found)))

    async def secrets(self, owner: Owner) -> list[ObjectKey]:
        """Return an add-on's credential Secrets that we made.

        Raises:
            TowlineError: The managed cluster could not be asked.
        """
        return [key_of(obj) for obj in await self._ours(SECRETS, owner)]

    async def delete_secret(self, key: ObjectKey) -> None:
        """Delete one credential Secret; nothing there is no error.

        Raises:
            TowlineError: The managed cluster refused or could not be asked.
        """
        await self._client.delete(SECRETS, key.name, namespace=key.namespace, missing_ok=True)
        log.info("credential deleted", extra={"object": f"secrets {key}"})

    async def remove(
        self,
        owner: Owner,
        *,
        outside: str | None = None,
        kept: Collection[str] = (),
        kinds: Collection[Resource] = KINDS,
    ) -> None:
        """Delete what we made for an add-on.

        Args:
            owner: The add-on.
            outside: Its install namespace, to delete only the configuration and Leases elsewhere;
                None deletes everything, the credentials too.
            kept: Namespaces where what was made is still to be there.
            kinds: What to delete at most.

        Raises:
            TowlineError: The managed cluster refused or could not be asked.
        """
        for kind in kinds:
            if kind == SECRETS and outside is not None:
                continue
            for obj in await self._ours(kind, owner, outside=outside):
                where = namespace_of(obj)
                if where != outside and where not in kept and not is_being_deleted(obj):
                    await self._delete(kind, obj)

    async def _ours(
        self, kind: Resource, owner: Owner, *, outside: str | None = None
    ) -> list[KubeObject]:
        found = await self._list(kind, owner.selector, outside=outside)
        if kind == SECRETS:
            # The names of these are fixed, which leaves no room for a copy made by hand.
            return [obj for obj in found if is_credential_secret(name_of(obj), addon=owner.addon)]
        return [obj for obj in found if owner.claim(obj) is Claim.OURS]

    async def _delete(self, kind: Resource, obj: KubeObject) -> None:
        key = key_of(obj)
        try:
            await self._client.delete(
                kind,
                key.name,
                namespace=key.namespace,
                uid=uid_of(obj),
                resource_version=resource_version_of(obj),
                missing_ok=True,
            )
        except Conflict:
            log.debug("object changed while being removed", extra={"object": str(key)})
            raise
        log.info("removed", extra={"object": f"{kind.qualified} {key}"})

    async def _list(
        self, kind: Resource, selector: str, *, outside: str | None = None
    ) -> list[KubeObject]:
        """Return what is wherever we may look; at least what is not in the namespace `outside`."""
        everywhere = await self._list_everywhere(kind, selector)
        if everywhere is not None:
            return everywhere
        found: list[KubeObject] = []
        for namespace in sorted(self._namespaces()):
            if namespace != outside:
                found += await self._list_in(namespace, kind, selector)
        return found

    async def _list_everywhere(self, kind: Resource, selector: str) -> list[KubeObject] | None:
        """Return what is in all namespaces; None if we may not look there."""
        if self._may_look_everywhere is not None:
            return await self._try_everywhere(kind, selector)
        # Many add-ons begin at once; one of them finds out for all.
        async with self._first_look:
            return await self._try_everywhere(kind, selector)

    async def _try_everywhere(self, kind: Resource, selector: str) -> list[KubeObject] | None:
        if self._may_look_everywhere is False:
            return None
        try:
            listed = await self._client.list(kind, label_selector=selector)
        except Forbidden:
            # The least privilege an agent can have: rights in its namespaces only.
            self._may_look_everywhere = False
            return None
        self._may_look_everywhere = True
        return list(listed.items)

    async def _list_in(self, namespace: str, kind: Resource, selector: str) -> list[KubeObject]:
        """Return what is in one namespace; nothing, said once, if we may not look there."""
        where = f"{kind.qualified} in {namespace}"
        try:
            listed = await self._client.list(kind, namespace=namespace, label_selector=selector)
        except Forbidden as error:
            level = logging.DEBUG if where in self._refused else logging.WARNING
            self._refused.add(where)
            log.log(
                level,
                "cannot look for what was made for add-ons",
                extra={"object": where, "error": str(error)},
            )
            return []
        if where in self._refused:
            self._refused.remove(where)
            log.info("can look for what was made for add-ons again", extra={"object": where})
        return list(listed.items)


def is_credential_secret(name: str, *, addon: str) -> bool:
    """Return whether an add-on's credential, or the key of one under way, has such a name."""
    prefix = re.escape(addon)
    pattern = rf"{prefix}-(?:hub-kubeconfig|.+-client-cert)(?:-pending)?"
    return re.fullmatch(pattern, name) is not None
