"""A kubeconfig that somebody else keeps fresh, with the files it names beside it.

The kubeconfig and the key and certificate, or the token, that it names are read from one
generation, checked together, and one that cannot be used leaves the last good one in use.
"""

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from towline_agent.channel.mounted_folder import REREAD_EVERY, MountedFolder
from towline_api.errors import ConfigError
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.discovery import load_kubeconfig


class MountedCredential:
    """A kubeconfig file with the files it names, kept by a kubelet, a klusterlet or a person.

    Args:
        path: The kubeconfig; the files it names stand beside it.
        reread_every: How often to read although nothing was heard.
        clock: Time between those.
    """

    def __init__(
        self, path: Path, *, reread_every: timedelta = REREAD_EVERY, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._path = path
        self._folder = MountedFolder(
            path.parent,
            read=self.read,
            complaint="mounted credential cannot be used; keeping the one before it",
            is_news=_differs,
            reread_every=reread_every,
            clock=clock,
        )

    @property
    def path(self) -> Path:
        """Where the kubeconfig is."""
        return self._path

    def read(self) -> Connection:
        """Return the connection the files describe now, read from one generation.

        A token that stands in a file is in the connection itself: its file goes with the next
        generation, and each token is to be proven before it replaces one that works.

        Raises:
            ConfigError: They are not there, not readable, or do not belong together.
        """
        # All links resolved, so that a swap between two reads cannot mix two generations.
        connection = load_kubeconfig(self._path.resolve())
        if connection.token_file is None:
            return connection
        token = _read_token(connection.token_file)
        return dataclasses.replace(connection, token=token, token_file=None)

    async def watch(self, use: Callable[[Connection], None]) -> NoReturn:
        """Hand on the connection once it can be read, then each new one.

        What cannot be used is logged once per finding; the one before it stays in use.
        """
        await self._folder.watch(use)


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"cannot read the token file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise ConfigError(f"the token file {path} holds no token; it may be half written")
    return token


def _differs(found: Connection, last: Connection) -> bool:
    """Compare all but where it was read: each generation lives in a folder of its own."""
    return dataclasses.replace(found, source=last.source) != last
