"""Bearer tokens: fixed, kept fresh in a file by somebody else, or printed by a command."""

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from towline_api.errors import ConfigError
from towline_api.timestamps import parse_time
from towline_kube.clock import Clock
from towline_kube.connection import Connection
from towline_kube.errors import Unreachable
from towline_kube.redaction import quotable

log = logging.getLogger(__name__)

FILE_IS_FRESH_FOR = timedelta(minutes=1)
"""The kubelet replaces a token at 80 % of its life, minutes ahead at the least."""
PLUGIN_MAY_TAKE = timedelta(seconds=60)
"""A plugin may ask a cloud's API, or a person in a browser; nobody waits longer than this."""
RENEW_BEFORE_EXPIRY = timedelta(minutes=1)


class BearerTokens:
    """The token to send with each call of one connection.

    Args:
        connection: Where the token comes from.
        clock: Tells when to read it again.
    """

    def __init__(self, connection: Connection, *, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._token = connection.token
        self._read_at: float | None = None
        self._expires: datetime | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> str | None:
        """Return the token to send now; None if the connection has none.

        Raises:
            ConfigError: The token file or the plugin gave no token, and there is no older one.
        """
        if self._connection.token_file is not None:
            return self._from_file(self._connection.token_file)
        if self._connection.exec_plugin is not None:
            async with self._lock:
                return await self._from_plugin(dict(self._connection.exec_plugin))
        return self._token

    def refused(self) -> None:
        """Have the token read again before the next call: the server did not take this one."""
        self._read_at = None
        self._expires = None

    def _from_file(self, path: Path) -> str:
        now = self._clock.monotonic()
        fresh_for = FILE_IS_FRESH_FOR.total_seconds()
        if (
            self._token is not None
            and self._read_at is not None
            and now - self._read_at < fresh_for
        ):
            return self._token
        self._read_at = now
        try:
            token = path.read_text(encoding="ascii").strip()
            problem = "" if token else "the file is empty"
        except OSError as error:
            token, problem = "", error.strerror or "unreadable"
        except UnicodeDecodeError:
            token, problem = "", "the file does not hold a token"
        if token:
            self._token = token
        elif self._token is None:
            self._read_at = None
            raise ConfigError(
                f"{self._connection.source}: cannot read the token file {path}: {problem}"
            )
        else:
            log.warning(
                "token file cannot be read, using the token read before",
                extra={"object": str(path), "error": problem},
            )
        return self._token

    async def _from_plugin(self, plugin: dict[str, Any]) -> str:
        if (
            self._token is not None
            and self._read_at is not None
            and (self._expires is None or self._clock.now() < self._expires - RENEW_BEFORE_EXPIRY)
        ):
            return self._token
        status = await _run_plugin(plugin, source=self._connection.source)
        token = status.get("token")
        if not isinstance(token, str) or not token:
            raise ConfigError(
                f"{self._connection.source}: exec plugin {plugin['command']!r} printed no token; "
                "plugins that give client certificates are not supported"
            )
        expires = status.get("expirationTimestamp")
        try:
            self._expires = parse_time(expires) if isinstance(expires, str) else None
        except ValueError:
            self._expires = None
        self._token, self._read_at = token, self._clock.monotonic()
        return token


class _PluginFields(dict[str, Any]):
    """The kubeconfig's exec stanza with the one method the official client asks of it."""

    def safe_get(self, key: str) -> Any:
        return self.get(key)


async def _run_plugin(plugin: dict[str, Any], *, source: str) -> dict[str, Any]:
    # Here because the import takes half a second, and daemons have no plugins.
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.exec_provider import ExecProvider

    command = plugin.get("command")
    try:
        async with asyncio.timeout(PLUGIN_MAY_TAKE.total_seconds()):
            status = await ExecProvider(_PluginFields(plugin)).run()
    except TimeoutError:
        raise Unreachable(
            f"{source}: exec plugin {command!r} gave no answer within "
            f"{PLUGIN_MAY_TAKE.total_seconds():.0f} s; run it by hand to see what it waits for",
            was_sent=False,
            verb="get a token from",
            object=str(command),
        ) from None
    except FileNotFoundError:
        raise ConfigError(
            f"{source}: exec plugin {command!r} is not installed; install it or add it to PATH"
        ) from None
    except (ConfigException, OSError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{source}: exec plugin {command!r} failed: {quotable(str(error))}"
        ) from None
    if not isinstance(status, dict):
        raise ConfigError(f"{source}: exec plugin {command!r} printed no status")
    return status
