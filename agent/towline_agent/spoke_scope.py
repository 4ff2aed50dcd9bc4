"""What code that applies configuration may do to the managed cluster: apply objects of its own."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from towline_agent.apply import Applier
from towline_agent.apply_plan import Manifest, Target, plan
from towline_agent.ownership import Owner
from towline_api.errors import TowlineError
from towline_api.resources import CONFIG_MAPS, KubeObject, Resource
from towline_kube.client import Client
from towline_kube.merge_patch import is_applied


class NotOursError(TowlineError):
    """Somebody else's object is where one was to be applied; it was left alone."""


class SpokeScope:
    """The managed cluster, as one run of a configuration handler sees it.

    Everything applied through it carries the add-on's marks and is remembered: when a later run
    for the same configuration no longer applies an object, or the configuration goes, the object
    is removed. Nothing else is ever changed.

    Args:
        client: The managed cluster.
        owner: The add-on.
        namespace: Its install namespace.
        source: The configuration that is being applied, as messages name it.
        kinds: The kinds that may be applied.
    """

    def __init__(
        self,
        client: Client,
        *,
        owner: Owner,
        namespace: str,
        source: str,
        kinds: Collection[Resource],
    ) -> None:
        self._owner = owner
        self._applier = Applier(client)
        self._source = source
        self._kinds = {(kind.api_version, kind.kind): kind for kind in kinds}
        self.client = client
        """The managed cluster itself, for reading; what is written through it is not remembered."""
        self.namespace = namespace
        """The add-on's install namespace."""
        self.applied: set[Target] = set()
        """What this run has applied."""

    async def apply(self, obj: KubeObject) -> None:
        """Bring an object onto the managed cluster, by server-side apply.

        Args:
            obj: The object; without a namespace it goes to the install namespace.

        Raises:
            NotOursError: There is an object of that name that this add-on did not make.
            ValueError: The kind was not announced, so it could never be removed again.
            ApiError: The managed cluster refused, or could not be reached (then it is transient).
        """
        manifest = self._manifest(obj)
        self.applied.add(manifest.target)
        live = await self._applier.look_up([manifest], {})
        planned = plan([manifest], live, self._owner, is_applied=is_applied)
        for conflict in planned.conflicts:
            raise NotOursError(f"cannot apply {conflict.target}: {conflict.reason}")
        for failure in await self._applier.carry_out(planned):
            raise failure.error

    def _manifest(self, obj: KubeObject) -> Manifest:
        kind = self._kinds.get((obj.get("apiVersion", ""), obj.get("kind", "")))
        if kind is None:
            known = ", ".join(sorted(resource.qualified for resource in self._kinds.values()))
            raise ValueError(
                f"cannot apply {obj.get('apiVersion')}/{obj.get('kind')}: this handler announced "
                f"{known}; name the kind in `applies`"
            )
        body = deepcopy(obj)
        if kind.namespaced:
            body["metadata"].setdefault("namespace", self.namespace)
        return Manifest(kind, self._owner.stamp(body, source=self._source), self._source)


def local_copy(config_map: Mapping[str, Any]) -> KubeObject:
    """Return what a ConfigMap of the hub looks like on the managed cluster: name and content.

    Labels, annotations and the namespace stay behind; they mean something on the hub.
    """
    content = {key: config_map[key] for key in ("data", "binaryData") if config_map.get(key)}
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {"name": config_map["metadata"]["name"]},
        **deepcopy(content),
    }
