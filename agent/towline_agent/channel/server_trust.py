"""Whom to believe to be a server: authorities given once, or in a file that may change."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from towline_api.errors import ConfigError
from towline_kube.key_pair import check_authorities

log = logging.getLogger(__name__)

ServerCa = bytes | Path
"""PEM certificates of authorities, or a file with them, for example of a mounted ConfigMap."""


def authorities(server_ca: ServerCa) -> Callable[[], bytes]:
    """Return what tells the authorities to trust now.

    Raises:
        ConfigError: There is no certificate in what was given, or the file cannot be read. Later,
            a file that cannot be used leaves the last good content in force.
    """
    if isinstance(server_ca, Path):
        return AuthorityFile(server_ca).current
    check_authorities(server_ca, where="server_ca")
    return lambda: server_ca


class AuthorityFile:
    """Authorities in a file, read again whenever it changed.

    Args:
        path: Where they are, as PEM.

    Raises:
        ConfigError: The file cannot be read, or holds no certificate.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()
        self._content = self._read()

    def current(self) -> bytes:
        """Return the content, after a look at whether the file is still the same."""
        try:
            seen = self._look()
            if seen == self._seen:
                return self._content
            # Noted first: what cannot be used is complained about once.
            self._seen = seen
            self._content = self._read()
        except ConfigError as error:
            if self._seen is not None:
                self._seen = None
                log.warning(
                    "authorities cannot be read; trusting those read before",
                    extra={"object": str(self._path), "error": str(error)},
                )
        return self._content

    def _look(self) -> tuple[int, int, int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - follows the links of a mounted volume
        except OSError as error:
            raise ConfigError(
                f"cannot read the authorities in {self._path}: {error.strerror}"
            ) from None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> bytes:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"cannot read the authorities in {self._path}: {error.strerror}"
            ) from None
        check_authorities(content, where=str(self._path))
        return content
