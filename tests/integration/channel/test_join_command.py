"""The line that `towline join-command` prints, run as it is printed: the cluster joins."""

import json
import shlex
from pathlib import Path

import pytest

from integration.channel.conftest import MakeCorner
from integration.channel.corner import Corner
from integration.channel.programs import Outcome, Program, run_command
from support.waiting import until
from towline_api.metadata import name_of
from towline_api.resources import SECRETS
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.yaml_text import parse_yaml
from towline_sandbox.plane import ControlPlane

pytestmark = pytest.mark.planes("kube", because="hub and agent as programs meet the real thing")


@pytest.fixture(scope="module")
def hub_flags() -> tuple[str, ...]:
    """Nobody is let in by a setting: what is, the token says."""
    return ()


@pytest.fixture
def kubeconfig(hub_plane: ControlPlane, tmp_path: Path) -> Path:
    """The operator's."""
    path = tmp_path / "operator.kubeconfig"
    path.write_text(hub_plane.admin_kubeconfig())
    return path


async def printed(kubeconfig: Path, *words: str) -> Outcome:
    """Run `towline join-command` and return what it printed."""
    outcome = await run_command("join-command", *words, "--kubeconfig", str(kubeconfig))
    assert outcome.status == 0, outcome
    return outcome


def agent_from(line: str, corner: Corner) -> Program:
    """Return the program that the line starts; where it runs, the environment says."""
    words = shlex.split(line)
    assert words[0] == "towline"
    corner.agent = Program(
        words[1:],
        log=corner.folder / f"{corner.cluster}.log",
        environment={
            "TOWLINE_SPOKE_KUBECONFIG": str(corner.folder / f"{corner.cluster}-spoke.kubeconfig"),
            "TOWLINE_NAMESPACE": corner.namespace,
            "TOWLINE_ADDON_NAMESPACES": corner.addon_namespace,
        },
    )
    return corner.agent


async def test_the_printed_line_brings_its_cluster_in(corner: Corner, kubeconfig: Path) -> None:
    """One line, copied from one terminal to another; no person is asked again."""
    await corner.prepare_agent()
    outcome = await printed(kubeconfig, "--cluster", corner.cluster)
    (line,) = outcome.out.splitlines()
    token = shlex.split(line)[-1]
    assert token not in outcome.err
    assert "this machine's own address" in outcome.err
    agent = agent_from(line, corner)
    agent.start()
    await corner.joined()
    secret = await corner.secret()
    assert secret is not None
    # What a restart goes by: the token is no part of it.
    assert token.partition(".")[2] not in agent.said
    agent.kill()
    agent.start()
    await agent.until_said("credential in use")


async def test_the_token_stays_out_of_the_process_list_if_the_environment_holds_it(
    corner: Corner, kubeconfig: Path
) -> None:
    """Everybody on a machine may read what its processes were called with."""
    await corner.prepare_agent()
    outcome = await printed(kubeconfig, "--cluster", corner.cluster)
    words = shlex.split(outcome.out)
    flag = words.index("--bootstrap-token")
    token = words.pop(flag + 1)
    words.pop(flag)
    agent = agent_from(shlex.join(words), corner)
    agent.environment["TOWLINE_BOOTSTRAP_TOKEN"] = token
    agent.start()
    await corner.joined()


async def test_the_kubeconfig_and_the_secret_say_the_same(
    corner: Corner, kubeconfig: Path, hub_plane: ControlPlane
) -> None:
    """For agents that are deployed, and for those that are not ours."""
    text = (await printed(kubeconfig, "--cluster", corner.cluster, "-o", "kubeconfig")).out
    connection = parse_kubeconfig(text, source="test")
    assert connection.server == hub_plane.server
    assert connection.ca_pem is not None
    assert connection.token is not None
    given = ("--token", connection.token, "--cluster", corner.cluster)
    manifest = parse_yaml((await printed(kubeconfig, *given, "-o", "secret")).out)
    assert (manifest["kind"], manifest["metadata"]["name"]) == (
        "Secret",
        "bootstrap-hub-kubeconfig",
    )
    assert manifest["metadata"]["namespace"] == "open-cluster-management-agent"
    assert manifest["stringData"]["kubeconfig"] == text
    await corner.prepare_agent()
    bootstrap = corner.folder / f"{corner.cluster}-bootstrap.kubeconfig"
    bootstrap.write_text(text)
    corner.agent.start()
    await corner.joined()


async def test_the_printed_secret_is_taken_by_kubernetes(corner: Corner, kubeconfig: Path) -> None:
    """It is applied on the managed cluster as it is printed."""
    manifest = parse_yaml((await printed(kubeconfig, "-o", "secret")).out)
    manifest["metadata"]["namespace"] = "default"
    manifest["metadata"]["name"] += f"-{corner.cluster}"
    made = await corner.spoke.create(SECRETS, manifest)
    assert name_of(made) == manifest["metadata"]["name"]


async def test_a_cluster_is_let_in_put_out_and_taken_off_by_commands(
    corner: Corner, kubeconfig: Path
) -> None:
    """What an operator types, one after the other, with the exit status a script goes by."""
    flags = ("--kubeconfig", str(kubeconfig))
    await corner.prepare_agent()
    corner.agent.start()
    await until(corner.pending_requests, what=lambda: f"no request; {corner.agent.said[-2000:]}")
    accepted = await run_command(
        "accept", corner.cluster, "--wait", "--timeout", "60s", "-o", "json", *flags
    )
    assert accepted.status == 0, accepted
    told = json.loads(accepted.out)
    assert (told["newlyAccepted"], told["joined"]) == (True, True)
    assert [item["approved"] for item in told["requests"]] == [True]
    denied = await run_command("deny", corner.cluster, "--reason", "not ours", *flags)
    assert denied.status == 0, denied
    assert f"cluster {corner.cluster}: denied; the hub takes" in denied.out
    await corner.until_condition("HubAcceptedManagedCluster", "False")
    missing = await run_command("approve", "no-such-request", *flags)
    assert missing.status == 1
    assert "there is no certificate request 'no-such-request'" in missing.err
    corner.agent.stop()
    removed = await run_command("remove", corner.cluster, "--wait", "--timeout", "60s", *flags)
    assert (removed.status, removed.out) == (0, f"cluster {corner.cluster}: gone\n"), removed
    again = await run_command("remove", corner.cluster, *flags)
    assert again.status == 1
    assert "there is no managed cluster" in again.err


async def test_a_token_from_the_environment_is_used_and_not_shown(
    make_corner: MakeCorner, kubeconfig: Path
) -> None:
    """A bound token names its cluster by itself; for another it is refused in one line."""
    corner = await make_corner()
    flags = ("--kubeconfig", str(kubeconfig))
    made = await run_command("token", "create", "--cluster", corner.cluster, *flags)
    token = made.out.strip()
    assert made.status == 0
    assert token not in made.err
    environment = {"TOWLINE_TOKEN": token}
    line = await run_command("join-command", *flags, environment=environment)
    assert f"--cluster-name {corner.cluster} " in line.out
    refused = await run_command(
        "join-command", "--cluster", "another", *flags, environment=environment
    )
    assert refused.status == 1
    assert f"is good for cluster '{corner.cluster}' alone" in refused.err
    assert token not in refused.err
    (listed,) = [
        row
        for row in (await run_command("token", "list", *flags)).out.splitlines()
        if row.startswith(token[:6])
    ]
    assert corner.cluster in listed
    assert "valid" in listed
    assert token[7:] not in listed
    revoked = await run_command("token", "revoke", token[:6], *flags)
    assert revoked.status == 0
    assert "live on" in revoked.out
    gone = await run_command("join-command", *flags, environment=environment)
    assert gone.status == 1
    assert "the hub knows no such token" in gone.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--token", "abc"), "not a bootstrap token", id="no-token"),
        pytest.param(
            ("--token", "ABCDEF.0123456789abcdef"), "not a bootstrap token", id="mistyped-token"
        ),
        pytest.param(
            ("--token", "abcdef.0123456789abcdef", "--ttl", "1h"), "--ttl is of", id="both"
        ),
        pytest.param(("--ttl", "1s"), "--ttl: a token", id="too-short"),
        pytest.param(("--server", "http://hub.example"), "https://", id="plain-http"),
        pytest.param(("--cluster", "Not_A_Name"), "Not_A_Name", id="no-name"),
        pytest.param(("--ca-file", "/nowhere"), "cannot read /nowhere", id="no-ca"),
    ],
)
async def test_what_cannot_be_used_is_one_line_without_the_token(
    words: tuple[str, ...], said: str, kubeconfig: Path
) -> None:
    """A slip of the finger must not print the rest of the token."""
    outcome = await run_command("join-command", *words, "--kubeconfig", str(kubeconfig))
    assert (outcome.status, outcome.out) == (1, "")
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert "0123456789abcdef" not in outcome.err


async def test_an_authority_that_does_not_sign_the_hubs_certificate_is_refused(
    kubeconfig: Path, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """Every agent would be kept out, and nobody would know why until it tried."""
    ca_file = tmp_path / "other.crt"
    ca_file.write_bytes(spoke_plane.ca_pem)
    outcome = await run_command(
        "join-command", "--ca-file", str(ca_file), "--kubeconfig", str(kubeconfig)
    )
    assert (outcome.status, outcome.out) == (1, "")
    assert "is not signed by the authority" in outcome.err


async def test_a_kubeconfig_that_verifies_nobody_is_no_source_of_an_authority(
    hub_plane: ControlPlane, tmp_path: Path
) -> None:
    """What came over such a connection could be anybody's."""
    lines = hub_plane.admin_kubeconfig().splitlines()
    index = next(i for i, line in enumerate(lines) if "certificate-authority-data" in line)
    indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
    lines[index] = f"{indent}insecure-skip-tls-verify: true"
    path = tmp_path / "careless.kubeconfig"
    path.write_text("\n".join(lines))
    outcome = await run_command("join-command", "--kubeconfig", str(path))
    assert (outcome.status, outcome.out) == (1, "")
    assert "--ca-file" in outcome.err


async def test_the_commands_say_which_right_is_missing_and_leave_nothing(
    hub_plane: ControlPlane, tmp_path: Path
) -> None:
    """What to ask the administrator for, before anything was changed."""
    path = tmp_path / "nobody.kubeconfig"
    path.write_text(await hub_plane.kubeconfig_for("somebody-without-rights"))
    for words, right in (
        (("token", "create"), 'cannot create resource "secrets"'),
        (("token", "create", "--cluster", "c1"), 'cannot create resource "clusterroles"'),
        (("token", "list"), 'cannot list resource "secrets"'),
        (("token", "revoke", "abcdef"), 'cannot delete resource "secrets"'),
        (("join-command",), 'cannot create resource "secrets"'),
        (("deny", "c1"), 'cannot patch resource "managedclusters"'),
        (("remove", "c1"), 'cannot delete resource "managedclusters"'),
        (("accept", "c1"), 'cannot update resource "managedclusters/accept"'),
    ):
        outcome = await run_command(*words, "--kubeconfig", str(path))
        assert (outcome.status, outcome.out) == (1, ""), outcome
        assert '"somebody-without-rights"' in outcome.err
        assert right in outcome.err
        assert len(outcome.err.splitlines()) == 1
