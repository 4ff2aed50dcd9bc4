"""`kubectl describe`: the object, and what happened to it."""

from conformance.kubectl.command import Kubectl
from conformance.objects import config_map, deployment


def facts(text: str) -> list[str]:
    """Return the lines, however they are indented and padded."""
    return [" ".join(line.split()) for line in text.splitlines()]


async def test_a_config_map_is_described(kubectl: Kubectl) -> None:
    """Its data is printed."""
    wanted = config_map("c", {"a": "one"}, labels={"x": "y"}, annotations={"p": "q"})
    (await kubectl("create", "-f", "-", stdin=wanted)).ok()
    assert facts((await kubectl("describe", "cm", "c")).ok()) == [
        *("Name: c", f"Namespace: {kubectl.namespace}", "Labels: x=y", "Annotations: p: q", ""),
        *("Data", "====", "a:", "----", "one", "", "", "BinaryData", "====", ""),
        "Events: <none>",
    ]


async def test_a_workload_is_described(kubectl: Kubectl) -> None:
    """With the defaults that the server filled in."""
    (await kubectl("create", "-f", "-", stdin=deployment("web", replicas=2))).ok()
    described = facts((await kubectl("describe", "deploy", "web")).ok())
    assert described[:2] == ["Name: web", f"Namespace: {kubectl.namespace}"]
    assert described[4:10] == [
        "Annotations: <none>",
        "Selector: app=web",
        "Replicas: 2 desired | 0 updated | 0 total | 0 available | 0 unavailable",
        "StrategyType: RollingUpdate",
        "MinReadySeconds: 0",
        "RollingUpdateStrategy: 25% max unavailable, 25% max surge",
    ]
    assert described[-1] == "Events: <none>"


async def test_a_role_and_an_account_are_described(kubectl: Kubectl) -> None:
    """Rules as a table."""
    rules = ("--verb=get,list", "--resource=configmaps", "--resource-name=a")
    (await kubectl("create", "role", "r", *rules)).ok()
    assert facts((await kubectl("describe", "role", "r")).ok()) == [
        *("Name: r", "Labels: <none>", "Annotations: <none>", "PolicyRule:"),
        "Resources Non-Resource URLs Resource Names Verbs",
        "--------- ----------------- -------------- -----",
        "configmaps [] [a] [get list]",
    ]
    assert facts((await kubectl("describe", "sa", "default")).ok())[-4:] == [
        *("Image pull secrets: <none>", "Mountable secrets: <none>", "Tokens: <none>"),
        "Events: <none>",
    ]


async def test_a_secret_is_described(kubectl: Kubectl) -> None:
    """Without giving it away."""
    (await kubectl("create", "secret", "generic", "s", "--from-literal=a=hidden")).ok()
    described = (await kubectl("describe", "secret", "s")).ok()
    assert facts(described)[-3:] == ["Data", "====", "a: 6 bytes"]
    assert "hidden" not in described
