"""A certificate of an add-on's own signer, in a mounted Secret that somebody else keeps fresh."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from towline_agent.channel.mounted_folder import MountedFolder
from towline_api.errors import ConfigError
from towline_api.names import (
    TLS_CERTIFICATE_KEY,
    TLS_KEY_KEY,
    addon_client_certificate_secret,
)
from towline_certs.credentials import Credential, parse_credential_files
from towline_kube.clock import SYSTEM_CLOCK, Clock


def mounted_certificate_folder(
    signer: str, *, addon: str, said: Mapping[str, Path], hub_kubeconfig: Path
) -> Path:
    """Return where the certificate of a signer is mounted.

    Args:
        signer: Name of the signer.
        addon: Name of the add-on.
        said: Folders by signer, as the settings name them.
        hub_kubeconfig: Unless they do, the folder is beside the one with this kubeconfig, and has
            the name of the Secret.
    """
    if signer in said:
        return said[signer]
    return hub_kubeconfig.parent.with_name(addon_client_certificate_secret(addon, signer=signer))


class MountedCertificate:
    """A folder with `tls.crt` and `tls.key`, as OCM's agents write them for custom signers.

    Args:
        folder: The folder; need not be there yet.
        clock: Time between looks at it.
    """

    def __init__(self, folder: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = folder
        self._folder = MountedFolder(
            folder,
            read=self.read,
            complaint="mounted certificate cannot be used; keeping the one before it",
            is_news=_differs,
            clock=clock,
        )

    def read(self) -> Credential:
        """Return the certificate with its key, both of one generation.

        Raises:
            ConfigError: They are not there, not readable, or do not belong together.
        """
        # The links of one of them resolved, so that a swap in between cannot mix two generations.
        generation = (self._path / TLS_CERTIFICATE_KEY).resolve().parent
        files = {name: _read(generation / name) for name in (TLS_CERTIFICATE_KEY, TLS_KEY_KEY)}
        return parse_credential_files(files)

    async def watch(self, use: Callable[[Credential], None]) -> NoReturn:
        """Hand on the certificate once it can be used, then each new one."""
        await self._folder.watch(use)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _differs(found: Credential, last: Credential) -> bool:
    return found.files != last.files
