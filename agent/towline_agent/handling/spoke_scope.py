"""What code that applies configuration may do to the managed cluster: apply objects of its own."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from towline_agent.applying.applier import Applier
from towline_agent.applying.ownership import Owner
from towline_agent.applying.plan import Manifest, Target, plan
from towline_api.errors import TowlineError
from towline_api.resources import CONFIG_MAPS, KubeObject, Resource
from towline_kube.client import Client
from towline_kube.merge_patch import is_applied

_STAYS_BEHIND = frozenset({"apiVersion", "kind", "metadata", "status", "immutable"})


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
        configuration: The same as the hub has it.
        kinds: The kinds that may be applied.
        places: Namespaces they may go to beside the install namespace.
    """

    def __init__(
        self,
        client: Client,
        *,
        owner: Owner,
        namespace: str,
        source: str,
        configuration: KubeObject,
        kinds: Collection[Resource],
        places: Collection[str] = (),
    ) -> None:
        self._owner = owner
        self._applier = Applier(client)
        self._source = source
        self._kinds = {(kind.api_version, kind.kind): kind for kind in kinds}
        self.client = client
        """The managed cluster itself, for reading; what is written through it is not remembered."""
        self.namespace = namespace
        """The add-on's install namespace."""
        self.configuration = configuration
        """The object on the hub that is being applied, whole, whatever the function was given."""
        self.applied: dict[Target, Manifest] = {}
        """What this run has applied."""
        self._places = {namespace, *places}

    async def apply(self, obj: KubeObject) -> None:
        """Bring an object onto the managed cluster, by server-side apply.

        Args:
            obj: The object; without a namespace it goes to the install namespace.

        Raises:
            NotOursError: There is an object of that name that this add-on did not make.
            ValueError: The kind or the namespace was not announced, so that nobody would look there
                for what to remove.
            ApiError: The managed cluster refused, or could not be reached (then it is transient).
        """
        manifest = self._manifest(obj)
        self.applied[manifest.target] = manifest
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
            where = body["metadata"].setdefault("namespace", self.namespace)
            if where not in self._places:
                raise ValueError(
                    f"cannot apply to namespace {where}: this handler announced "
                    f"{', '.join(sorted(self._places))}; name the namespace in `applies_in`"
                )
        return Manifest(kind, self._owner.stamp(body, source=self._source), self._source)


def local_copy(obj: Mapping[str, Any]) -> KubeObject:
    """Return what an object of the hub looks like on the managed cluster: kind, name and content.

    Labels, annotations and the namespace stay behind, they mean something on the hub; so do its
    status, and `immutable`: the original may be replaced by another of its name, and then the copy
    has to follow.

    Args:
        obj: A ConfigMap, or an object of any kind that both clusters serve in the same version.
    """
    content = {key: value for key, value in obj.items() if key not in _STAYS_BEHIND and value}
    return {
        "apiVersion": obj.get("apiVersion", CONFIG_MAPS.api_version),
        "kind": obj.get("kind", CONFIG_MAPS.kind),
        "metadata": {"name": obj["metadata"]["name"]},
        **deepcopy(content),
    }
