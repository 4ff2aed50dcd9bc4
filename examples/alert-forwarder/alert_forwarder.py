"""An add-on that tells the hub of every Warning Event on its managed cluster.

At least once: an Event counts as told when the hub has taken it, and only then does the place move
on from which a restart continues. What is told twice is one Event on the hub all the same.
"""

import logging
import time
from contextlib import aclosing
from datetime import timedelta

from pydantic import Field

from towline_agent import AddonAgent, AddonSettings, HubChannel, Removal, Spoke
from towline_api import KubeObject
from towline_api.duration_field import Duration
from towline_api.resources import CLUSTER_GROUP, CONFIG_MAPS, EVENTS
from towline_kube.errors import AlreadyExists, Gone, Invalid

log = logging.getLogger(__name__)

POSITION = "alert-forwarder-position"
"""ConfigMap on the managed cluster that says how far the hub knows."""
CONTROLLER = "towline.example/alert-forwarder"
WARNINGS = "type=Warning"
LONGEST_NOTE = 1000
"""Characters; an API server takes 1,024 bytes."""


class ForwarderSettings(AddonSettings):
    """Settings of the alert forwarder."""

    events_namespace: str | None = None
    """Namespace whose Events are told; by default all."""
    save_position_every: Duration = Field(default=timedelta(seconds=5), gt=timedelta(0))
    """How often the position is saved at most. What came since is told again after a crash."""


agent = AddonAgent("alert-forwarder", settings_class=ForwarderSettings)


@agent.task
async def forward(hub: HubChannel, spoke: Spoke) -> None:
    """Tell the hub of Warnings, one after the other, from where the last process stopped.

    While the hub is away nothing is read either, so that nothing piles up here. What fails is tried
    again from the saved position.
    """
    position = Position(spoke)
    where = agent.settings.events_namespace
    came_to = await position.load() or await tell_all(hub, spoke, position)
    while True:
        watch = spoke.client.watch(
            EVENTS, resource_version=came_to, namespace=where, field_selector=WARNINGS
        )
        try:
            async with aclosing(watch) as changes:
                async for change in changes:
                    if change.type in ("ADDED", "MODIFIED"):
                        await tell(hub, spoke, change.object)
                    came_to = change.object["metadata"]["resourceVersion"]
                    await position.move(came_to)
        except Gone:
            # Down for longer than the API server remembers: look at what is there.
            came_to = await tell_all(hub, spoke, position)


@agent.on_removed
async def forget(removal: Removal) -> None:
    """Leave nothing behind."""
    namespace = removal.spoke.namespace
    await removal.spoke.client.delete(CONFIG_MAPS, POSITION, namespace=namespace, missing_ok=True)


async def tell_all(hub: HubChannel, spoke: Spoke, position: "Position") -> str:
    """Tell the hub of all Warnings there are, and return from where to watch."""
    where = agent.settings.events_namespace
    listed = await spoke.client.list(EVENTS, namespace=where, field_selector=WARNINGS)
    for event in listed.items:
        await tell(hub, spoke, event)
    await position.move(listed.resource_version, at_once=True)
    return listed.resource_version


async def tell(hub: HubChannel, spoke: Spoke, event: KubeObject) -> None:
    """Have an Event on the hub; return once it is there."""
    if event.get("reportingController") == CONTROLLER:
        # Where the hub manages itself, what was told is an Event of the managed cluster, too.
        return
    body = alert(event, cluster=spoke.cluster)
    name = body["metadata"]["name"]
    try:
        await hub.client.create(EVENTS, body)
    except AlreadyExists:
        # Told before. It may have happened more often since.
        if "series" in body:
            patch = {"series": body["series"]}
            await hub.client.patch(EVENTS, name, patch, namespace=spoke.cluster)
    except Invalid as error:
        # One that no hub will ever take must not keep back all others.
        log.warning("event left out", extra={"object": name, "error": str(error)})


def alert(event: KubeObject, *, cluster: str) -> KubeObject:
    """Return what the hub is told of an Event: an Event about the cluster, in its namespace.

    Its name follows from the UID of the original, so that an Event is one Event on the hub however
    often it is told. What it is about on the managed cluster is `related`.
    """
    about = event.get("regarding") or {}
    first = event.get("eventTime") or event.get("deprecatedFirstTimestamp")
    created = event["metadata"].get("creationTimestamp")
    body: KubeObject = {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"alert-{event['metadata']['uid']}", "namespace": cluster},
        "eventTime": micro_time(first or created),
        "type": "Warning",
        "reason": (event.get("reason") or "Unknown")[:128],
        "action": (event.get("action") or "Forward")[:128],
        "note": f"{where_of(about)}: {event.get('note', '')}"[:LONGEST_NOTE],
        "reportingController": CONTROLLER,
        "reportingInstance": cluster,
        "regarding": {
            "apiVersion": f"{CLUSTER_GROUP}/v1",
            "kind": "ManagedCluster",
            "name": cluster,
            "namespace": cluster,
        },
        "related": about,
    }
    series = event.get("series") or {}
    count = max(series.get("count", 0), event.get("deprecatedCount", 0))
    if count > 1:
        last = series.get("lastObservedTime") or event.get("deprecatedLastTimestamp") or first
        body["series"] = {"count": count, "lastObservedTime": micro_time(last or created)}
    return body


def where_of(about: KubeObject) -> str:
    """Return how people call an object."""
    name = f"{about.get('kind', 'object')} {about.get('name', '')}"
    return f"{name} in {about['namespace']}" if about.get("namespace") else name


def micro_time(text: str) -> str:
    """Return a time with microseconds, as Events have them."""
    return text if "." in text else text.replace("Z", ".000000Z")


class Position:
    """How far the hub knows, kept on the managed cluster.

    Args:
        spoke: The managed cluster.
    """

    def __init__(self, spoke: Spoke) -> None:
        self._spoke = spoke
        self._saved = ""
        self._saved_at = time.monotonic()

    async def load(self) -> str | None:
        """Return what was saved last; None if nothing ever was."""
        namespace = self._spoke.namespace
        found = await self._spoke.client.find(CONFIG_MAPS, POSITION, namespace=namespace)
        self._saved = (found or {}).get("data", {}).get("resourceVersion", "")
        return self._saved or None

    async def move(self, came_to: str, *, at_once: bool = False) -> None:
        """Move on, and save that if the last time is long enough ago."""
        due = self._saved_at + agent.settings.save_position_every.total_seconds()
        if came_to == self._saved or not (at_once or time.monotonic() >= due):
            return
        body: KubeObject = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {"name": POSITION, "namespace": self._spoke.namespace},
            "data": {"resourceVersion": came_to},
        }
        await self._spoke.client.apply(CONFIG_MAPS, body)
        self._saved, self._saved_at = came_to, time.monotonic()


if __name__ == "__main__":
    agent.run()
