"""What is carried to a managed cluster says where the hub is, whom to trust, and no more."""

import base64
import shlex

import pytest

from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.errors import ConfigError
from towline_hub.joining.hub_address import HubAddress
from towline_hub.joining.join_texts import join_kubeconfig, join_line, join_secret
from towline_kube.yaml_text import parse_yaml

TOKEN = BootstrapToken("abcdef", "0123456789abcdef")
ADDRESS = HubAddress("https://hub.example:6443", b"an authority")


@pytest.mark.parametrize(
    ("cluster", "named"), [("c1", ["--cluster-name", "c1"]), (None, [])], ids=["named", "unnamed"]
)
def test_the_line_is_one_line_with_the_authority_in_it(
    cluster: str | None, named: list[str]
) -> None:
    """A shell takes it as it is, whatever is in the address."""
    line = join_line(ADDRESS, TOKEN, cluster=cluster)
    assert "\n" not in line
    assert shlex.split(line) == [
        *("towline", "agent", "run"),
        *named,
        *("--hub-server", "https://hub.example:6443"),
        *("--hub-ca-data", base64.b64encode(b"an authority").decode()),
        *("--bootstrap-token", "abcdef.0123456789abcdef"),
    ]


def test_an_address_cannot_slip_a_command_into_the_line() -> None:
    """It is pasted into a shell, often root's."""
    line = join_line(HubAddress("https://hub.example/$(id);x", b""), TOKEN, cluster=None)
    assert "'https://hub.example/$(id);x'" in line


def test_another_name_in_the_certificate_takes_a_kubeconfig() -> None:
    """One line has no word for it, and without it the agent would trust nobody."""
    address = HubAddress("https://10.0.0.1:6443", b"an authority", tls_server_name="hub.example")
    with pytest.raises(ConfigError, match="-o kubeconfig"):
        join_line(address, TOKEN, cluster="c1")
    cluster = parse_yaml(join_kubeconfig(address, TOKEN))["clusters"][0]["cluster"]
    assert cluster["tls-server-name"] == "hub.example"


def test_the_secret_holds_the_kubeconfig_under_the_name_agents_look_for() -> None:
    """Ours and others' alike."""
    manifest = parse_yaml(join_secret(ADDRESS, TOKEN))
    assert manifest["metadata"] == {
        "name": "bootstrap-hub-kubeconfig",
        "namespace": "open-cluster-management-agent",
    }
    text = manifest["stringData"]["kubeconfig"]
    assert text == join_kubeconfig(ADDRESS, TOKEN)
    document = parse_yaml(text)
    assert document["users"][0]["user"] == {"token": "abcdef.0123456789abcdef"}
    assert document["clusters"] == [
        {
            "name": "hub",
            "cluster": {
                "server": "https://hub.example:6443",
                "certificate-authority-data": base64.b64encode(b"an authority").decode(),
            },
        }
    ]
