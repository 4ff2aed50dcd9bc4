"""Which kubeconfig is used when several could be."""

from pathlib import Path

import pytest

from support.pki import Pki
from towline_api.errors import ConfigError
from towline_kube import (
    Connection,
    discover_connection,
    embed_kubeconfig,
    in_cluster_connection,
    load_kubeconfig,
)

PKI = Pki()
IN_POD = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}


def write(path: Path, host: str, *, entry: str = "cluster") -> Path:
    connection = Connection(
        f"https://{host}", ca_pem=PKI.ca_pem, token="t", cluster_entry_name=entry
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(embed_kubeconfig(connection))
    return path


@pytest.fixture
def service_account(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("t")
    (folder / "ca.crt").write_bytes(PKI.ca_pem)
    (folder / "namespace").write_text("open-cluster-management-agent\n")
    return folder


def test_the_first_place_that_has_one_is_used(tmp_path: Path, service_account: Path) -> None:
    """Flag, KUBECONFIG, pod, home: the order kubectl has, with the flag in front."""
    flag = write(tmp_path / "flag", "flag")
    listed = write(tmp_path / "listed", "listed")
    write(tmp_path / ".kube" / "config", "home")
    home = {"HOME": str(tmp_path)}
    everything = {**home, **IN_POD, "KUBECONFIG": str(listed)}

    def host(path: Path | None, environment: dict[str, str]) -> str:
        return discover_connection(
            path, environment=environment, service_account=service_account
        ).host

    assert host(flag, everything) == "flag"
    assert host(None, everything) == "listed"
    assert host(None, {**home, **IN_POD}) == "[fd00::1]:443"
    assert host(None, home) == "home"
    with pytest.raises(ConfigError, match="no kubeconfig: none was given"):
        host(None, {})


def test_a_broken_first_choice_is_not_passed_over(tmp_path: Path) -> None:
    """The next one is another cluster, and changing that by mistake is worse than failing."""
    broken = tmp_path / "broken"
    broken.write_text("")
    write(tmp_path / ".kube" / "config", "home")
    with pytest.raises(ConfigError, match="is empty"):
        discover_connection(environment={"HOME": str(tmp_path), "KUBECONFIG": str(broken)})
    with pytest.raises(ConfigError, match="files that do not exist"):
        discover_connection(
            environment={"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "missing")}
        )
    with pytest.raises(ConfigError, match=r"cannot read kubeconfig .*missing: No such file"):
        load_kubeconfig(tmp_path / "missing")


def test_several_files_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    """KUBECONFIG may list files; missing ones do not count."""
    first = write(tmp_path / "a" / "first", "first", entry="one")
    second = write(tmp_path / "b" / "second", "second", entry="two")
    listed = f"{tmp_path / 'missing'}:{first}:{second}"
    assert discover_connection(environment={"KUBECONFIG": listed}).host == "first"


def test_a_pods_service_account_is_read(service_account: Path) -> None:
    """The token stays a file, since the kubelet replaces it."""
    found = in_cluster_connection(environment=IN_POD, directory=service_account)
    assert found.token_file == service_account / "token"
    assert found.ca_pem == PKI.ca_pem
    assert found.namespace == "open-cluster-management-agent"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("token", "No such file"),
        ("ca.crt", "No such file"),
        ("empty", "token .* is empty"),
        ("outside", "not running in a pod"),
    ],
)
def test_a_pod_without_its_service_account_says_what_is_missing(
    service_account: Path, change: str, said: str
) -> None:
    """`automountServiceAccountToken: false` is the usual reason, and invisible from inside."""
    if change == "empty":
        (service_account / "token").write_text("")
    elif change != "outside":
        (service_account / change).unlink()
    environment = {} if change == "outside" else IN_POD
    with pytest.raises(ConfigError, match=said):
        in_cluster_connection(environment=environment, directory=service_account)
