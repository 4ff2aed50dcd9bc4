"""The way to the hub told by settings: whole, pinned, and never shown."""

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from support.pki import Pki
from towline_agent.hubs.told_hub import told_hub
from towline_agent.settings import AgentSettings
from towline_api.errors import ConfigError
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_kube.settings import load

TOKEN = "abcdef.0123456789abcdef"


@pytest.fixture(scope="module")
def ca_data() -> str:
    """An authority as the flag takes it."""
    return base64.b64encode(Pki().ca_pem).decode()


def read(*arguments: str, **environment: str) -> AgentSettings:
    """Return the settings that a command line and an environment make."""
    return load(AgentSettings, arguments, prog="towline agent run", environment=environment)


def test_three_settings_are_a_way_to_the_hub(ca_data: str) -> None:
    """What `towline join-command` prints; the authority is the only one trusted."""
    settings = read(
        *("--hub-server", "https://hub.example:6443/"),
        *("--hub-ca-data", ca_data),
        *("--bootstrap-token", TOKEN),
    )
    connection = settings.told_hub
    assert connection is not None
    assert connection.server == "https://hub.example:6443"
    assert connection.ca_pem == base64.b64decode(ca_data)
    assert connection.token == TOKEN
    assert not connection.insecure_skip_tls_verify
    assert TOKEN not in repr(settings)
    assert TOKEN not in repr(connection)
    # The same hub by either way: moving from one to the other must not look like another hub.
    written = parse_kubeconfig(embed_kubeconfig(connection), source="test")
    assert (written.server, written.ca_pem) == (connection.server, connection.ca_pem)


def test_the_environment_tells_it_as_well(ca_data: str) -> None:
    """So that the token need not stand in the process list."""
    settings = read(
        *("--hub-server", "https://hub.example"),
        *("--hub-ca-data", ca_data),
        TOWLINE_BOOTSTRAP_TOKEN=TOKEN,
    )
    assert settings.told_hub is not None
    assert settings.told_hub.token == TOKEN


def test_without_any_of_them_there_is_none() -> None:
    """A stored credential, or a kubeconfig, says where the hub is."""
    assert read().told_hub is None
    assert read("--bootstrap-kubeconfig", "x").told_hub is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(["server"], "hub-ca-data and bootstrap-token", id="server-alone"),
        pytest.param(["server", "token"], "give hub-ca-data as well", id="no-authority"),
        pytest.param(["server", "ca"], "give bootstrap-token as well", id="no-token"),
        pytest.param(["ca", "token"], "give hub-server as well", id="no-server"),
        pytest.param(
            ["server", "ca", "token", "kubeconfig"], "give one or the other", id="and-a-kubeconfig"
        ),
        pytest.param(["server", "kubeconfig"], "give one or the other", id="half-and-a-kubeconfig"),
    ],
)
def test_half_a_way_is_refused(given: list[str], said: str, ca_data: str) -> None:
    """Least of all is one without an authority completed by the system's trust store."""
    flags = {
        "server": ("--hub-server", "https://hub.example"),
        "ca": ("--hub-ca-data", ca_data),
        "token": ("--bootstrap-token", TOKEN),
        "kubeconfig": ("--bootstrap-kubeconfig", str(Path("x"))),
    }
    with pytest.raises(ConfigError, match=said) as refusal:
        read(*(word for name in given for word in flags[name]))
    assert TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    ("server", "ca", "token", "said"),
    [
        pytest.param("http://hub.example", None, TOKEN, "hub-server: .*https://", id="http"),
        pytest.param("https://h", "not base64!", TOKEN, "hub-ca-data: not base64", id="ca-cut"),
        pytest.param("https://h", "", TOKEN, "hub-ca-data: expected at least one", id="ca-empty"),
        pytest.param("https://h", "bm90IGEgY2E=", TOKEN, "hub-ca-data: expected", id="ca-other"),
        pytest.param("https://h", None, TOKEN[:-1], "bootstrap-token: not", id="token-cut"),
        pytest.param("https://h", None, TOKEN.upper(), "bootstrap-token: not", id="token-capitals"),
    ],
)
def test_what_cannot_be_used_names_the_setting_and_does_not_show_it(
    server: str, ca: str | None, token: str, said: str, ca_data: str
) -> None:
    """A line that was cut on its way is the likeliest mistake."""
    with pytest.raises(ConfigError, match=said) as refusal:
        told_hub(server, ca_data=ca_data if ca is None else ca, token=SecretStr(token))
    assert token.partition(".")[2] not in str(refusal.value)
