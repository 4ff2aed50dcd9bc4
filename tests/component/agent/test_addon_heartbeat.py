"""An embedded add-on's Lease, from its checks to the API server that keeps it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest_asyncio

from support.addon_stage import ADDON, CLUSTER, INSTALLED, AddonStage, addon_stage, plain
from support.waiting import eventually, until
from towline_agent import AddonAgent, AddonSettings, ApiServerLives, PodsReady, Spoke
from towline_agent.health.built_in_checks import pod_check_rules
from towline_agent.station.overview import told_faults
from towline_api.addons import HealthMode
from towline_api.resources import (
    LEASES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
)


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[AddonStage]:
    """One plane for hub and managed cluster."""
    async with addon_stage() as stage:
        yield stage


async def lease_of(stage: AddonStage) -> KubeObject | None:
    return await stage.admin.find(LEASES, ADDON, namespace=INSTALLED)


async def put_pod(stage: AddonStage, *, ready: bool) -> None:
    spec = {"containers": [{"name": "worker", "image": "example.com/worker"}]}
    pod = plain(PODS, "worker-0", INSTALLED, spec=spec)
    pod["metadata"]["labels"] = {"app": "worker"}
    if await stage.admin.find(PODS, "worker-0", namespace=INSTALLED) is None:
        await stage.admin.create(PODS, pod)
    current = await stage.admin.get(PODS, "worker-0", namespace=INSTALLED)
    condition = {"type": "Ready", "status": "True" if ready else "False", "reason": "Probe"}
    await stage.admin.patch_status(PODS, current, {"phase": "Running", "conditions": [condition]})


def agent_with(*checks: object) -> AddonAgent:
    agent = AddonAgent(ADDON, settings=AddonSettings())
    for check in checks:
        agent.health(check)  # type: ignore[call-overload]
    return agent


async def test_built_in_checks_hold_the_lease_back_until_they_are_passed(
    stage: AddonStage,
) -> None:
    """With exactly the rights they say they need; what is wrong is told in the check's name."""
    user = "program"
    rules = [*pod_check_rules(), rule(LEASES.group, LEASES.plural, ["get", "create", "patch"])]
    await grant(stage, user, rules)
    agent = agent_with(ApiServerLives(), PodsReady({"app": "worker"}))
    async with stage.running(agent, user=user):
        wanted = "health pods app=worker: pods with app=worker in namespace addon-space: "
        await eventually(
            lambda: told_faults(stage.code) == (f"{wanted}expected at least 1, found 0",),
            what=lambda: told_faults(stage.code),
        )
        assert stage.code.checks == {"api-server": True, "pods app=worker": False}
        assert await lease_of(stage) is None
        await put_pod(stage, ready=False)
        await eventually(
            lambda: told_faults(stage.code) == (f"{wanted}1 of 1 not ready: worker-0 (Probe)",),
            what=lambda: told_faults(stage.code),
        )
        assert await lease_of(stage) is None
        await put_pod(stage, ready=True)
        await until(lambda: lease_of(stage), what=lambda: stage.code.faults)
        assert told_faults(stage.code) == ()


async def test_a_check_that_may_not_look_says_so(stage: AddonStage) -> None:
    """A missing right looks like an ill add-on; the sentence tells the two apart."""
    await grant(stage, "program", [])
    async with stage.running(agent_with(PodsReady({"app": "worker"})), user="program"):
        await eventually(lambda: bool(stage.code.faults), what=lambda: stage.code.faults)
        assert "not allowed" in stage.code.faults[0].error


async def test_an_add_on_that_tells_its_health_itself_is_asked_and_has_no_lease(
    stage: AddonStage,
) -> None:
    """Who looks at the program sees its checks all the same."""
    stage.change(health_mode=HealthMode.CUSTOMIZED)
    seen: list[Spoke] = []
    agent = AddonAgent(ADDON, settings=AddonSettings())

    @agent.health(timeout=timedelta(seconds=5), name="depth")
    async def queue(spoke: Spoke) -> bool:
        seen.append(spoke)
        return True

    async with stage.running(agent):
        await eventually(lambda: len(seen) > 1, what=lambda: seen)
        assert stage.code.checks == {"depth": True}
        assert (seen[0].cluster, seen[0].namespace) == (CLUSTER, INSTALLED)
        assert await lease_of(stage) is None
        stage.change(health_mode=HealthMode.LEASE)
        await until(lambda: lease_of(stage), what=lambda: "no lease")


async def test_a_failing_check_ends_the_renewals(stage: AddonStage) -> None:
    """The Lease was renewed before, and is not from then on, until the check is passed again."""
    is_well = True
    agent = AddonAgent(ADDON, settings=AddonSettings())

    @agent.health
    async def healthy() -> bool:
        return is_well

    async def renewed() -> str | None:
        lease = await lease_of(stage)
        return None if lease is None else str(lease["spec"]["renewTime"])

    async with stage.running(agent):
        first = await until(renewed, what=lambda: "no lease")
        is_well = False
        await eventually(
            lambda: stage.code.checks == {"healthy": False}, what=lambda: stage.code.checks
        )
        last = await renewed()
        failures = stage.code.failures.total()
        await eventually(
            lambda: stage.code.failures.total() > failures + 5, what=lambda: stage.code.failures
        )
        assert await renewed() == last
        is_well = True
        await until(lambda: _differs(renewed, last), what=lambda: "not renewed again")
        assert first is not None


async def _differs(renewed: Callable[[], Awaitable[str | None]], last: str | None) -> bool:
    return await renewed() != last


def rule(group: str, plural: str, verbs: list[str]) -> KubeObject:
    return {"apiGroups": [group], "resources": [plural], "verbs": verbs}


async def grant(stage: AddonStage, user: str, rules: list[KubeObject]) -> None:
    api = "rbac.authorization.k8s.io"
    reference = {"apiGroup": api, "kind": "Role", "name": user}
    subjects = [{"kind": "User", "name": user, "apiGroup": api}]
    await stage.admin.apply(ROLES, plain(ROLES, user, INSTALLED, rules=rules))
    await stage.admin.apply(
        ROLE_BINDINGS,
        plain(ROLE_BINDINGS, user, INSTALLED, subjects=subjects, roleRef=reference),
    )
