"""A Secret as files, kept as a kubelet keeps them for a pod."""

import base64
from pathlib import Path

from support.tasks import background
from support.waiting import eventually
from towline_api.resources import SECRETS, KubeObject
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.in_process import admin_client
from towline_sandbox.mount import Mount

NAME, NAMESPACE = "mounted", "default"


def secret(value: bytes) -> KubeObject:
    """Return the Secret with one file in it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {"file": base64.b64encode(value).decode()},
    }


async def test_files_outlive_their_secret_and_follow_the_next_one(tmp_path: Path) -> None:
    """An add-on that is disabled loses its Secret before its pod, which runs until it is told."""
    folder = tmp_path / "mount"
    async with EmbeddedPlane("spoke") as plane, admin_client(plane) as client:
        await client.create(SECRETS, secret(b"first"))
        mount = Mount(client, name=NAME, namespace=NAMESPACE, folder=folder)
        await mount.refresh()
        async with background(mount.keep(), name="keep"):
            await client.delete(SECRETS, NAME, namespace=NAMESPACE)
            looked_before = len(plane.calls)
            await eventually(
                lambda: len(plane.calls) > looked_before + 1, what=lambda: "nobody looked again"
            )
            assert (folder / "file").read_bytes() == b"first"
            await client.create(SECRETS, secret(b"second"))
            await eventually(
                lambda: (folder / "file").read_bytes() == b"second", what=lambda: "the old file"
            )
