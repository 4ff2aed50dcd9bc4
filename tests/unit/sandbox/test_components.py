"""The programs of a plane run with arguments that keep it private."""

from datetime import timedelta
from pathlib import Path

from towline_sandbox import components
from towline_sandbox.binaries import Binaries

BINARIES = Binaries(Path("/assets"))
ALL = (
    components.etcd(BINARIES),
    components.api_server(BINARIES, port=40001),
    components.controller_manager(BINARIES),
)


def test_programs_are_taken_from_the_binaries() -> None:
    """Never from PATH, where another version may be."""
    assert [program.argv[0] for program in ALL] == [
        "/assets/etcd",
        "/assets/kube-apiserver",
        "/assets/kube-controller-manager",
    ]
    assert [program.name for program in ALL] == list(components.COMPONENTS)


def test_only_the_api_server_listens_and_only_on_the_loopback_interface() -> None:
    """A plane is nobody else's business, not even on the same network."""
    etcd, server, controllers = (program.argv for program in ALL)
    assert all("://" not in flag or "unix://" in flag for flag in etcd)
    assert {"--bind-address=127.0.0.1", "--secure-port=40001"} <= set(server)
    assert "--secure-port=0" in controllers


def test_programs_do_not_inherit_the_environment() -> None:
    """A proxy or a KUBECONFIG of the caller would change what the parts of a plane do."""
    assert all(set(program.env) == {"HOME", "PATH"} for program in ALL)


def test_everybody_has_to_say_who_they_are() -> None:
    """What the tests of permissions stand on."""
    server = ALL[1].argv
    assert "--authorization-mode=RBAC" in server
    assert "--enable-bootstrap-token-auth" in server
    assert "--client-ca-file=client-ca.crt" in server


def test_the_lifetime_of_certificates_is_kubernetes_own_unless_asked_for() -> None:
    """Rotation is tested with certificates that live for a minute."""
    lifetime = timedelta(seconds=90)
    short = components.controller_manager(BINARIES, certificate_lifetime=lifetime)
    assert "--cluster-signing-duration=1m30s" in short.argv
    assert not [flag for flag in ALL[2].argv if flag.startswith("--cluster-signing-duration")]
