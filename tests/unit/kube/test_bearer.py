"""Tokens from exec plugins and files: cached while good, replaced in time, refused with reasons."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.clock import FakeClock
from towline_api.errors import ConfigError
from towline_api.timestamps import format_time
from towline_kube import Connection
from towline_kube.bearer import BearerTokens

VERSION = "client.authentication.k8s.io/v1"


def tokens(script: str, clock: FakeClock, *, folder: Path) -> BearerTokens:
    """Return the tokens of a plugin that runs a line of Python and counts its runs."""
    counted = f"open({str(folder / 'runs')!r}, 'a').write('x'); {script}"
    plugin = {
        "apiVersion": VERSION,
        "command": sys.executable,
        "args": ["-c", f"import os, sys; {counted}"],
        "env": [{"name": "GREETING", "value": "hello"}],
    }
    return BearerTokens(Connection("https://hub", exec_plugin=plugin, source="here"), clock=clock)


def printed(status: dict[str, Any]) -> str:
    answer = {"apiVersion": VERSION, "kind": "ExecCredential", "status": status}
    return f"print({json.dumps(answer)!r})"


async def test_a_plugins_token_is_used_until_it_expires(tmp_path: Path) -> None:
    """A plugin may open a browser; it must not for every call."""
    clock = FakeClock()
    expires = format_time(clock.now() + timedelta(minutes=10))
    found = tokens(printed({"token": "t", "expirationTimestamp": expires}), clock, folder=tmp_path)
    assert await found.current() == "t"
    assert await found.current() == "t"
    assert (tmp_path / "runs").read_text() == "x"
    await clock.advance(timedelta(minutes=9, seconds=1))
    assert await found.current() == "t"
    assert (tmp_path / "runs").read_text() == "xx"


async def test_a_refused_token_is_fetched_again(tmp_path: Path) -> None:
    """One without an expiry would otherwise be used for ever."""
    found = tokens(printed({"token": "t"}), FakeClock(), folder=tmp_path)
    await found.current()
    found.refused()
    await found.current()
    assert (tmp_path / "runs").read_text() == "xx"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sys.exit('log in first: ' + os.environ['GREETING'])", "failed: .*log in first: hello"),
        ("print('no json')", "failed: "),
        (printed({}), "printed no token"),
        (printed({"clientCertificateData": "x"}), "client certificates are not supported"),
        ("print('{}')", "failed: "),
    ],
)
async def test_a_plugin_that_fails_is_quoted(tmp_path: Path, script: str, said: str) -> None:
    """Its own words are the only hint: usually, to log in again."""
    with pytest.raises(ConfigError, match=said):
        await tokens(script, FakeClock(), folder=tmp_path).current()


async def test_a_plugin_that_is_not_installed_is_named() -> None:
    """The usual state of a kubeconfig copied to another machine."""
    plugin = {"apiVersion": VERSION, "command": "no-such-plugin"}
    found = BearerTokens(
        Connection("https://hub", exec_plugin=plugin, source="here"), clock=FakeClock()
    )
    with pytest.raises(ConfigError, match="here: exec plugin 'no-such-plugin' is not installed"):
        await found.current()


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b" \n", "is empty"), (b"\xff", "not hold a token")],
)
async def test_a_token_file_without_a_token_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    """Before the first token there is nothing to fall back to."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    found = BearerTokens(
        Connection("https://hub", token_file=file, source="here"), clock=FakeClock()
    )
    with pytest.raises(ConfigError, match=f"here: cannot read the token file .*{said}"):
        await found.current()
    # As soon as there is one it is used, without waiting a minute.
    file.write_text("t")
    assert await found.current() == "t"


async def test_a_broken_token_file_keeps_the_last_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Kubelets swap the file; a moment without it is not the end."""
    clock, file = FakeClock(), tmp_path / "token"
    file.write_text("t")
    found = BearerTokens(Connection("https://hub", token_file=file), clock=clock)
    await found.current()
    file.unlink()
    await clock.advance(timedelta(minutes=2))
    assert await found.current() == "t"
    assert "token file cannot be read, using the token read before" in caplog.messages
