"""Plays the kubelet: keeps a Secret of the managed cluster as files, as a pod's volume would."""

import asyncio
import base64
from pathlib import Path
from typing import NoReturn

from towline_api.resources import SECRETS, KubeObject
from towline_certs import DirectoryStore
from towline_kube.client import Client

_LOOK_EVERY_SECONDS = 0.2


class Mount:
    """A Secret of the managed cluster as files in a folder.

    Args:
        client: Reads the Secret.
        name: Its name.
        namespace: Its namespace.
        folder: Where the files are to be.
    """

    def __init__(self, client: Client, *, name: str, namespace: str, folder: Path) -> None:
        self._client = client
        self._name = name
        self._namespace = namespace
        self._store = DirectoryStore(folder)
        self._written: dict[str, bytes] = {}

    async def refresh(self) -> None:
        """Write the files if the Secret changed: whole generations only.

        Raises:
            NotFound: There is no such Secret.
        """
        await self._write(await self._client.get(SECRETS, self._name, namespace=self._namespace))

    async def keep(self) -> NoReturn:
        """Refresh the files until cancelled; they outlive the Secret, as in a pod that runs."""
        while True:
            secret = await self._client.find(SECRETS, self._name, namespace=self._namespace)
            if secret is not None:
                await self._write(secret)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _write(self, secret: KubeObject) -> None:
        files = {key: base64.b64decode(value) for key, value in secret["data"].items()}
        if files != self._written:
            await asyncio.to_thread(self._store.write, files)
            self._written = files
