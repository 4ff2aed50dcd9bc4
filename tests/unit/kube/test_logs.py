"""Log lines: facts in both formats, one line each, and no secret in any."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from towline_certs.keys import format_key, generate_key
from towline_kube.log_context import log_context
from towline_kube.logs import LogFormat, LogLevel, configure_logging

TOKEN = "07401b.f395accd246ae52d"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Logging is the process's; give it back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    rooms = {
        name: logging.getLogger(name).level
        for name in (
            f"towline_{room}" for room in ("agent", "api", "certs", "hub", "kube", "sandbox")
        )
    }
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in rooms.items():
        logging.getLogger(name).setLevel(old)
    logging.captureWarnings(capture=False)


def lines(log_format: LogFormat, *, level: LogLevel = LogLevel.INFO) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(log_format, level, stream=stream)
    return stream


log = logging.getLogger("towline_kube.test")


def test_console_lines_show_the_facts_after_the_sentence() -> None:
    """A constant sentence to search for, and what differs behind it."""
    stream = lines(LogFormat.CONSOLE)
    with log_context(task="renew-lease"):
        log.info("lease renewed", extra={"cluster": "c1", "reason": "it was time", "delay_s": 1.5})
    at, rest = stream.getvalue().rstrip("\n").split(" ", 1)
    assert at.endswith("Z")
    assert rest == (
        "INFO    towline_kube.test lease renewed "
        'cluster=c1 reason="it was time" delay_s=1.5 task=renew-lease'
    )


def test_json_lines_hold_facts_under_their_keys() -> None:
    """What collectors index."""
    stream = lines(LogFormat.JSON)
    with log_context(cluster="c1"):
        log.warning("lease not renewed", extra={"attempt": 2, "object": logging.INFO})
    entry = json.loads(stream.getvalue())
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "level": "warning",
        "logger": "towline_kube.test",
        "message": "lease not renewed",
        "attempt": 2,
        "object": 20,
        "cluster": "c1",
    }


@pytest.mark.parametrize("log_format", LogFormat)
def test_no_secret_passes_wherever_it_stands(log_format: LogFormat) -> None:
    """Message, arguments, facts, exception and its traceback: text of others gets everywhere."""
    key = format_key(generate_key()).decode()
    stream = lines(log_format)

    def parse() -> None:
        raise ValueError(f"cannot parse {key}")

    try:
        parse()
    except ValueError:
        log.exception(
            "failed for %s", TOKEN, extra={"error": f"Bearer {TOKEN * 2}", "object": [key]}
        )
    written = stream.getvalue()
    assert "failed for 07401b.[redacted]" in written
    assert "ValueError: cannot parse [redacted]" in written
    assert TOKEN not in written
    assert key.splitlines()[1] not in written
    assert "PRIVATE KEY" not in written


@pytest.mark.parametrize("log_format", LogFormat)
def test_what_others_wrote_cannot_forge_a_line(log_format: LogFormat) -> None:
    """A cluster's claim with a line break in it must not look like a record of ours."""
    stream = lines(log_format)
    log.info("seen\n2026 INFO forged", extra={"object": "x\n2026 INFO forged"})
    assert len(stream.getvalue().splitlines()) == 1


def test_levels_are_for_our_own_loggers_only() -> None:
    """Details of libraries hold headers and addresses of every request."""
    stream = lines(LogFormat.CONSOLE, level=LogLevel.DEBUG)
    logging.getLogger("aiohttp.client").info("request with headers")
    logging.getLogger("aiohttp.client").warning("something of theirs")
    log.debug("a step")
    assert "headers" not in stream.getvalue()
    assert "something of theirs" in stream.getvalue()
    assert "a step" in stream.getvalue()


def test_a_call_that_is_wrong_is_still_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in a log call must not take the daemon down, nor the line with it."""
    stream = lines(LogFormat.CONSOLE)
    log.info("%d", "no number")
    assert "%d" in stream.getvalue()
    assert capsys.readouterr().err == ""


def test_configuring_twice_writes_each_line_once() -> None:
    """Tests and embedders call it again."""
    lines(LogFormat.JSON)
    stream = lines(LogFormat.JSON)
    log.info("once")
    assert len(stream.getvalue().splitlines()) == 1
