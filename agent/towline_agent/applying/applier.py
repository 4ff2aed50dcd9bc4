"""Carrying out a plan on the managed cluster: server-side apply, and deletion of what we judged."""

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from towline_agent.applying.plan import Apply, Manifest, Plan, Prune, Target
from towline_api.errors import TowlineError
from towline_api.metadata import resource_version_of, uid_of
from towline_api.resources import KubeObject
from towline_kube.client import Client
from towline_kube.errors import ApiError, Conflict

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """One write that did not succeed; the others were made nonetheless.

    Args:
        target: What was to be written or deleted.
        error: Why it was not.
    """

    target: Target
    error: TowlineError

    @property
    def is_stale(self) -> bool:
        """Whether the object merely changed after it was judged, so that a new plan settles it."""
        return isinstance(self.error, Conflict)

    def __str__(self) -> str:
        return f"{self.target}: {self.error}"


class Applier:
    """Makes the changes of a plan, each under the condition that its object is still as judged.

    Args:
        client: The managed cluster; its field manager owns what is applied.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def look_up(
        self, desired: Sequence[Manifest], known: Mapping[Target, KubeObject]
    ) -> dict[Target, KubeObject]:
        """Return the live objects to plan with: those known, and whatever else is in the way.

        A view of our own objects, selected by their labels, does not show that somebody else's
        object holds a name we want.

        Raises:
            TowlineError: The managed cluster could not be asked.
        """
        live = dict(known)
        for target in {manifest.target for manifest in desired} - live.keys():
            key = target.key
            found = await self._client.find(target.resource, key.name, namespace=key.namespace)
            if found is not None:
                live[target] = found
        return live

    async def carry_out(self, plan: Plan) -> tuple[Failure, ...]:
        """Make every change of a plan; return those that failed.

        What is new or changed comes first, so that nothing is taken away before its successor is
        there.
        """
        failures: list[Failure] = []
        steps: list[Apply | Prune] = [*plan.applies, *plan.prunes]
        for step in steps:
            target = step.target if isinstance(step, Prune) else step.manifest.target
            try:
                if isinstance(step, Prune):
                    await self._prune(step)
                else:
                    await self._apply(step)
            except ApiError as error:
                failures.append(Failure(target, error))
        return tuple(failures)

    async def _apply(self, step: Apply) -> None:
        manifest, over = step.manifest, step.over
        body = manifest.body
        if over is not None:
            # Only over what was judged: an object made anew meanwhile may be somebody else's.
            body = deepcopy(body)
            body["metadata"] |= {"uid": uid_of(over), "resourceVersion": resource_version_of(over)}
        # A new object is not forced: whoever made one a moment ago owns its fields.
        await self._client.apply(manifest.resource, body, force=over is not None)
        log.info(
            "applied",
            extra={"object": str(manifest.target), "reason": "new" if over is None else "changed"},
        )

    async def _prune(self, step: Prune) -> None:
        await self._client.delete(
            step.target.resource,
            step.target.key.name,
            namespace=step.target.key.namespace,
            uid=step.uid,
            resource_version=step.resource_version,
            missing_ok=True,
        )
        log.info("pruned", extra={"object": str(step.target)})
