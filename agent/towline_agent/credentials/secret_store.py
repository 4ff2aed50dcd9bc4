"""A credential's place in a Secret of the managed cluster, shaped as OCM's agents write it."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from towline_agent.credentials.enrollment import Progress
from towline_agent.credentials.stored import (
    Stored,
    StoredCredential,
    decode_progress,
    encode_progress,
)
from towline_api.errors import ConfigError, TransientError, WireError
from towline_api.metadata import annotations_of, labels_of, name_of, resource_version_of
from towline_api.names import CLUSTER_NAME_LABEL
from towline_api.resources import NAMESPACES, SECRETS, KubeObject
from towline_api.timestamps import format_micro_time, parse_time
from towline_certs.credentials import from_secret_data, to_secret_data
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists, Conflict, Forbidden, NotFound
from towline_kube.store import Change

log = logging.getLogger(__name__)

ISSUED_AT_ANNOTATION = "towline/issued-at"
"""When the credential of a Secret was stored first; OCM's agents neither need nor mind it."""
HUB_ANNOTATION = "towline/hub"
"""URL of the hub that issued the credential of a Secret."""
_TRIES = 5
"""How often a write is tried anew after somebody else wrote at the same moment."""


def pending_secret(name: str) -> str:
    """Return the name of the Secret with the pending key that belongs to a credential's Secret."""
    return f"{name}-pending"


def next_secret(name: str) -> str:
    """Return the name of the Secret with the next hub's credential, while an agent moves there."""
    return f"{name}-next"


class SecretStore:
    """A store in two Secrets: the credential's, and `<name>-pending` with the key under way.

    Every write is one request with the version read last, so it happens whole or not at all; a
    conflict is healed by reading again.

    Args:
        client: The managed cluster.
        namespace: Namespace of both Secrets.
        name: The credential's Secret.
        labels: Labels for both.
        make_namespace: Whether to create a missing namespace, where permitted.
        drops: Names of files that another kind of credential left in the same Secret; they go with
            the first credential that is written.
        clock: Time.
    """

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        name: str,
        labels: Mapping[str, str],
        make_namespace: bool = False,
        drops: frozenset[str] = frozenset(),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._drops = drops
        self._namespace = namespace
        self._name = name
        self._labels = dict(labels)
        self._make_namespace = make_namespace
        self._clock = clock
        self._seen: dict[str, KubeObject | None] = {}

    @property
    def description(self) -> str:
        """What messages call it."""
        return f"secret {self._namespace}/{self._name}"

    async def read(self) -> Stored:
        """Return what both Secrets hold."""
        secret = await self._look_up(self._name)
        files = self._files_of(secret)
        credential = None
        if secret is not None and files:
            annotations = annotations_of(secret)
            credential = StoredCredential(
                files=files,
                hub=annotations.get(HUB_ANNOTATION),
                issued_at=_find_time(annotations.get(ISSUED_AT_ANNOTATION)),
            )
        progress = None
        try:
            pending = await self._look_up(pending_secret(self._name))
            progress = decode_progress(self._files_of(pending))
        except WireError as error:
            log.warning(
                "stored record is broken",
                extra={"object": f"{self.description}-pending", "error": str(error)},
            )
        return Stored(credential=credential, progress=progress)

    async def write_credential(self, credential: StoredCredential) -> None:
        """Replace the credential, completely or not at all."""
        annotations = {}
        if credential.hub is not None:
            annotations[HUB_ANNOTATION] = credential.hub
        if credential.issued_at is not None:
            annotations[ISSUED_AT_ANNOTATION] = format_micro_time(credential.issued_at)
        await self._write(self._name, credential.files, annotations)

    async def write_progress(self, progress: Progress | None) -> None:
        """Replace what is known of the pending request; None deletes its Secret."""
        name = pending_secret(self._name)
        if progress is None:
            self._seen.pop(name, None)
            await self._client.delete(SECRETS, name, namespace=self._namespace, missing_ok=True)
        else:
            await self._write(name, encode_progress(progress), {})

    async def remove(self) -> None:
        """Delete both Secrets."""
        for name in (pending_secret(self._name), self._name):
            self._seen.pop(name, None)
            await self._client.delete(SECRETS, name, namespace=self._namespace, missing_ok=True)

    async def watch(self, on_change: Callable[[], None]) -> NoReturn:
        """Call back when the credential's Secret may have changed; never returns."""
        cache = Cache(
            self._client,
            SECRETS,
            namespace=self._namespace,
            field_selector=f"metadata.name={self._name}",
            clock=self._clock,
        )

        def note(change: Change) -> None:
            seen = self._seen.get(self._name)
            if (
                change.new is None
                or seen is None
                or resource_version_of(change.new) != resource_version_of(seen)
            ):
                # Not the version we read or wrote last, so somebody else's.
                on_change()

        cache.on_change(note)
        await cache.run()

    async def _look_up(self, name: str) -> KubeObject | None:
        secret = await self._client.find(SECRETS, name, namespace=self._namespace)
        self._check_whose(name, secret)
        self._seen[name] = secret
        return secret

    def _check_whose(self, name: str, secret: KubeObject | None) -> None:
        """Refuse a Secret with another cluster's credential.

        Agents in hosted mode share their hosting cluster, and would overwrite each other for ever.
        """
        theirs = None if secret is None else labels_of(secret).get(CLUSTER_NAME_LABEL)
        ours = self._labels.get(CLUSTER_NAME_LABEL)
        if theirs and ours and theirs != ours:
            raise ConfigError(
                f"secret {self._namespace}/{name} holds the credential of cluster {theirs}, "
                f"expected none or one of cluster {ours}; give each cluster's add-on an install "
                "namespace of its own"
            )

    def _files_of(self, secret: KubeObject | None) -> dict[str, bytes]:
        if secret is None:
            return {}
        try:
            return from_secret_data(secret.get("data"))
        except WireError as error:
            # The API server refuses such data itself; a broken proxy might not.
            log.warning(
                "secret cannot be read",
                extra={"object": f"{self._namespace}/{name_of(secret)}", "error": str(error)},
            )
            return {}

    async def _write(
        self, name: str, files: Mapping[str, bytes], annotations: Mapping[str, str]
    ) -> None:
        live = self._seen[name] if name in self._seen else await self._look_up(name)
        for _ in range(_TRIES):
            try:
                if live is None:
                    body = self._secret(name, files, annotations)
                    self._seen[name] = await self._create(body)
                else:
                    body = self._updated(live, files, annotations)
                    self._seen[name] = await self._client.replace(SECRETS, body)
            except (AlreadyExists, Conflict):
                live = await self._look_up(name)
            except NotFound:
                if live is None:
                    raise
                live = None
            else:
                return
        raise TransientError(
            f"secret {self._namespace}/{name} changed {_TRIES} times while it was being written; "
            "trying again later: is a second agent running?"
        )

    async def _create(self, body: KubeObject) -> KubeObject:
        try:
            return await self._client.create(SECRETS, body)
        except NotFound as error:
            if not self._make_namespace:
                raise ConfigError(self._namespace_missing()) from error
        try:
            await self._client.create(
                NAMESPACES,
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}},
            )
        except AlreadyExists:
            pass
        except Forbidden as error:
            raise ConfigError(self._namespace_missing()) from error
        return await self._client.create(SECRETS, body)

    def _namespace_missing(self) -> str:
        return (
            f"namespace {self._namespace} does not exist on the managed cluster, so "
            f"{self.description} cannot be written; create the namespace"
        )

    def _secret(
        self, name: str, files: Mapping[str, bytes], annotations: Mapping[str, str]
    ) -> KubeObject:
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": self._namespace,
            "labels": self._labels,
        }
        if annotations:
            metadata["annotations"] = dict(annotations)
        return {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": metadata,
            "type": "Opaque",
            "data": to_secret_data(files),
        }

    def _updated(
        self, live: KubeObject, files: Mapping[str, bytes], annotations: Mapping[str, str]
    ) -> KubeObject:
        metadata = dict(live["metadata"])
        metadata["labels"] = {**(metadata.get("labels") or {}), **self._labels}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
        if not self._is_pending(live):
            # Others may keep files of their own beside the credential; they are not ours to drop.
            theirs = (live.get("data") or {}).items()
            kept = {key: value for key, value in theirs if key not in self._drops}
            data = {**kept, **to_secret_data(files)}
        else:
            data = to_secret_data(files)
        return {**live, "metadata": metadata, "data": data}

    def _is_pending(self, secret: KubeObject) -> bool:
        return name_of(secret) == pending_secret(self._name)


def _find_time(text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None
