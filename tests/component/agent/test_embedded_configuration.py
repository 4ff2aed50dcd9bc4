"""An add-on's handlers on a plane: what they are given, what stays, what goes, what is said."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import BaseModel, Field

from support.addon_stage import (
    ADDON,
    CLUSTER,
    INSTALLED,
    AddonStage,
    addon_stage,
    config_map,
    plain,
)
from support.waiting import eventually, until
from towline_agent import AddonAgent, InvalidConfigurationError, SpokeScope, local_copy
from towline_agent.applying.ownership import APPLIED_AS_ANNOTATION
from towline_agent.station.user_code import Role
from towline_api.addons import ConfigKind, ConfigReference, HashedConfig
from towline_api.metadata import ObjectKey
from towline_api.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
    Resource,
)
from towline_api.spec_hash import spec_hash
from towline_kube.errors import ApiError
from towline_sandbox.embedded.faults import Ask, Calls, Delay, Moment, Seen

ELSEWHERE = "elsewhere"
WIDGETS = Resource("example.com", "v1", "widgets", "Widget", namespaced=True)


class Retries(BaseModel):
    """What the configuration has to be."""

    retries: int = Field(ge=0)


@pytest.fixture
async def stage() -> AsyncIterator[AddonStage]:
    """A plane for each test."""
    async with addon_stage(ELSEWHERE) as stage:
        yield stage


def copying() -> AddonAgent:
    """Return an add-on that copies ConfigMaps."""
    agent = AddonAgent(ADDON)

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def copy(config: KubeObject, spoke: SpokeScope) -> None:
        await spoke.apply(local_copy(config))

    return agent


def checking() -> AddonAgent:
    """Return an add-on that takes a model and applies what it says."""
    agent = AddonAgent(ADDON)

    @agent.configuration("configmaps", namespace=agent.cluster_namespace, model=Retries)
    async def apply(config: Retries, spoke: SpokeScope) -> None:
        name = spoke.configuration["metadata"]["name"]
        body = config_map(name, spoke.namespace, {"tries": str(config.retries + 1)})
        await spoke.apply(body)

    return agent


async def test_what_does_not_fit_the_model_leaves_the_last_good_in_force(stage: AddonStage) -> None:
    """A typing error on the hub must neither break the cluster nor go unexplained."""
    await stage.put("settings", {"retries": "3"})
    async with stage.running(checking()):
        await stage.until_data("settings", {"tries": "4"})
        await stage.put("settings", {"retries": "many"})
        await stage.until_said(lambda said: bool(said.troubles))
        (trouble,) = stage.outcome.troubles
        assert "configmaps cluster1/settings: data.retries expected a valid integer" in trouble
        assert "found 'many'" in trouble
        assert await stage.data("settings") == {"tries": "4"}
        # Back to the very state that was good is news, too.
        await stage.put("settings", {"retries": "3"})
        await stage.until_said(lambda said: not said.troubles)
        await stage.put("settings", {"retries": "5"})
        await stage.until_data("settings", {"tries": "6"})
        await stage.until_said(lambda said: not said.troubles)


async def test_the_last_good_survives_a_restart_and_what_is_gone_does_not(
    stage: AddonStage,
) -> None:
    """One object in trouble must not keep those of others that went meanwhile."""
    for name in ("broken", "gone", "good"):
        await stage.put(name, {"retries": "1"})
    async with stage.running(checking()):
        for name in ("broken", "gone", "good"):
            await stage.until_data(name, {"tries": "2"})
    await stage.put("broken", {"retries": "-1"})
    await stage.admin.delete(CONFIG_MAPS, "gone", namespace=CLUSTER)
    async with stage.running(checking()):
        await stage.until_data("gone", None)
        assert await stage.data("broken") == {"tries": "2"}
        # Even when it goes before it was ever good in this process.
        await stage.admin.delete(CONFIG_MAPS, "broken", namespace=CLUSTER)
        await stage.until_data("broken", None)
        assert await stage.data("good") == {"tries": "2"}


async def test_what_a_handler_calls_invalid_is_not_tried_again(stage: AddonStage) -> None:
    """Only a person can mend it; calling again would only cost."""
    await stage.put("settings", {"a": "1"})
    agent = AddonAgent(ADDON)
    calls: list[str] = []

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config: KubeObject, spoke: SpokeScope) -> None:
        calls.append(config["data"]["a"])
        if config["data"]["a"] == "1":
            raise InvalidConfigurationError("expected 2, found 1", field="data.a")

    async with stage.running(agent):
        await stage.until_said(lambda said: bool(said.troubles))
        assert stage.outcome.troubles == (
            "configmaps cluster1/settings: data.a: expected 2, found 1",
        )
        await stage.put("other", {"a": "3"})
        await eventually(lambda: "3" in calls, what=lambda: calls)
        await stage.put("settings", {"a": "2"})
        await stage.until_said(lambda said: not said.troubles)
    assert calls.count("1") == 1


async def test_a_bug_is_counted_told_and_retried(stage: AddonStage) -> None:
    """A developer finds the object and the error on the hub; the count is for metrics."""
    await stage.put("settings", {"a": "1"})
    agent = AddonAgent(ADDON)
    failures = 3

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config: KubeObject, spoke: SpokeScope) -> None:
        if stage.code.failures.total() < failures:
            raise ZeroDivisionError("a bug")
        await spoke.apply(local_copy(config))

    async with stage.running(agent):
        await stage.until_data("settings", {"a": "1"})
        await stage.until_said(lambda said: not said.troubles)
        assert any(
            "ZeroDivisionError: a bug" in t for said in stage.outcomes for t in said.troubles
        )
        ((function, count),) = stage.code.failures.items()
        assert (function.role, count) == (Role.CONFIGURATION, failures)
        assert stage.code.faults == ()


async def test_only_success_counts_as_applied(stage: AddonStage) -> None:
    """The hash on the hub says what is in force, so a handler that fails must not be in it."""
    good, bad = (config_map("chosen", ELSEWHERE, {"retries": text}) for text in ("1", "x"))
    kind = ConfigKind("", "configmaps")

    def desire(config: KubeObject) -> ConfigReference:
        key = ObjectKey("chosen", ELSEWHERE)
        reference = ConfigReference(kind, HashedConfig(key, spec_hash(config)))
        assert stage.addon is not None
        stage.change(config_references=(reference,))
        return reference

    agent = AddonAgent(ADDON)

    @agent.configuration("configmaps", model=Retries)
    async def apply(config: Retries, spoke: SpokeScope) -> None:
        await spoke.apply(config_map("copy", spoke.namespace, {"tries": str(config.retries)}))

    await stage.admin.apply(CONFIG_MAPS, good)
    first = desire(good)
    async with stage.running(agent):
        await stage.until_said(lambda said: said.applied == {first})
        await stage.admin.apply(CONFIG_MAPS, bad)
        desire(bad)
        await stage.until_said(lambda said: bool(said.troubles) and not said.applied)
        assert await stage.data("copy") == {"tries": "1"}


async def test_what_others_change_or_delete_is_put_right(stage: AddonStage) -> None:
    """The hub's word holds, without the handler being called for it."""
    await stage.put("settings", {"a": "1"})
    agent = AddonAgent(ADDON)
    calls: list[str] = []

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config: KubeObject, spoke: SpokeScope) -> None:
        calls.append(config["metadata"]["name"])
        await spoke.apply(local_copy(config))

    async with stage.running(agent):
        await stage.until_data("settings", {"a": "1"})
        patch = {"data": {"a": "changed"}, "metadata": {"labels": {"mine": "yes"}}}
        await stage.admin.patch(CONFIG_MAPS, "settings", patch, namespace=INSTALLED)
        await stage.until_data("settings", {"a": "1"})
        found = await stage.admin.get(CONFIG_MAPS, "settings", namespace=INSTALLED)
        assert found["metadata"]["labels"]["mine"] == "yes"
        await stage.admin.delete(CONFIG_MAPS, "settings", namespace=INSTALLED)
        await stage.until_data("settings", {"a": "1"})
        # Taken over by somebody else, marks and all: left alone, and told.
        mark = {"metadata": {"annotations": {APPLIED_AS_ANNOTATION: None}}}
        await stage.admin.patch(CONFIG_MAPS, "settings", mark, namespace=INSTALLED)
        await stage.admin.patch(CONFIG_MAPS, "settings", {"data": {"a": "x"}}, namespace=INSTALLED)
        await stage.until_said(lambda said: "cannot keep" in " ".join(said.troubles))
        assert await stage.data("settings") == {"a": "x"}
        await stage.admin.delete(CONFIG_MAPS, "settings", namespace=INSTALLED)
    assert calls == ["settings"]


async def test_what_is_removed_does_not_come_back(stage: AddonStage) -> None:
    """The watch may show that it is gone before the answer comes that says so."""
    await stage.put("settings", {"a": "1"})
    async with stage.running(copying()):
        await stage.until_data("settings", {"a": "1"})
        await eventually(lambda: bool(calls_of(stage, "watch")), what=lambda: stage.plane.calls)
        late = Delay(timedelta(seconds=0.3), Moment.AFTER)
        stage.plane.faults.add(late, Calls(verb="delete", namespace=INSTALLED))
        await stage.admin.delete(CONFIG_MAPS, "settings", namespace=CLUSTER)
        await eventually(lambda: calls_of(stage, "delete") == [200], what=lambda: stage.plane.calls)
        assert await stage.data("settings") is None


async def test_what_is_being_put_right_does_not_outlive_its_configuration(
    stage: AddonStage,
) -> None:
    """A removal that finds nothing yet would leave what arrives a moment later to nobody."""
    await stage.put("settings", {"a": "1"})
    async with stage.running(copying()):
        await stage.until_data("settings", {"a": "1"})
        await eventually(lambda: bool(calls_of(stage, "watch")), what=lambda: stage.plane.calls)
        applied_before = len(calls_of(stage, "patch"))
        held = stage.plane.faults.add(
            Delay(timedelta(seconds=0.5)), Calls(verb="patch", namespace=INSTALLED)
        )
        await stage.admin.delete(CONFIG_MAPS, "settings", namespace=INSTALLED)
        await eventually(lambda: held.met == 1, what=lambda: stage.plane.calls)
        await stage.admin.delete(CONFIG_MAPS, "settings", namespace=CLUSTER)
        await eventually(
            lambda: len(calls_of(stage, "patch")) > applied_before, what=lambda: stage.plane.calls
        )
        await stage.until_data("settings", None)


def calls_of(stage: AddonStage, verb: str) -> list[int]:
    """Return the answers to calls about ConfigMaps where the add-on applies them."""
    about = (verb, CONFIG_MAPS.plural, INSTALLED)
    return [
        call.code
        for call in stage.plane.calls
        if (call.verb, call.info.resource, call.info.namespace) == about and call.code
    ]


async def test_who_may_not_watch_still_applies(stage: AddonStage) -> None:
    """An add-on with fewer rights loses only what needs them, and keeps asking nobody."""
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"],
         "verbs": ["get", "create", "patch", "delete"]},
    ]  # fmt: skip
    api = ROLES.group
    subjects = [{"kind": "User", "name": "program", "apiGroup": api}]
    reference = {"apiGroup": api, "kind": "Role", "name": "program"}
    await stage.admin.apply(ROLES, plain(ROLES, "program", INSTALLED, rules=rules))
    binding = plain(ROLE_BINDINGS, "program", INSTALLED, subjects=subjects, roleRef=reference)
    await stage.admin.apply(ROLE_BINDINGS, binding)
    await stage.put("settings", {"a": "1"})
    verbs: list[str] = []

    def note(call: Seen, moment: Moment) -> bool:
        if moment is Moment.BEFORE:
            verbs.append(call.verb)
        return True

    stage.plane.faults.add(Ask(note), Calls(user="program", resource="configmaps"))
    async with stage.running(copying(), user="program"):
        await stage.until_data("settings", {"a": "1"})
        # Whoever changes something before that has it look once more.
        await eventually(lambda: "list" in verbs, what=lambda: verbs)
        await stage.put("settings", {"a": "2"})
        await stage.until_data("settings", {"a": "2"})
        await stage.until_said(lambda said: not said.troubles)
    assert verbs.count("list") == 1, "it looks once for what an earlier process made"
    assert "watch" not in verbs


async def test_only_announced_namespaces_are_applied_to(stage: AddonStage) -> None:
    """Where nobody looks again, nothing could ever be removed."""
    await stage.put("settings", {"a": "1"})
    places: tuple[str, ...] = ()

    def program() -> AddonAgent:
        agent = AddonAgent(ADDON)

        @agent.configuration("configmaps", namespace=agent.cluster_namespace, applies_in=places)
        async def apply(config: KubeObject, spoke: SpokeScope) -> None:
            await spoke.apply(config_map("copy", ELSEWHERE, config["data"]))

        return agent

    async with stage.running(program()):
        await stage.until_said(lambda said: "applies_in" in " ".join(said.troubles))
    places = (ELSEWHERE,)
    async with stage.running(program()):
        await stage.until_data("copy", {"a": "1"}, at=ELSEWHERE)
    await stage.admin.delete(CONFIG_MAPS, "settings", namespace=CLUSTER)
    async with stage.running(program()):
        await stage.until_data("copy", None, at=ELSEWHERE)


async def test_a_kind_that_the_hub_serves_later_is_found_by_its_name(stage: AddonStage) -> None:
    """A CRD may come after the add-on; whatever else it is configured with does not wait."""
    await stage.put("settings", {"a": "1"})
    agent = copying()

    @agent.configuration("widgets.example.com", namespace=agent.cluster_namespace, model=Retries)
    async def apply(config: Retries, spoke: SpokeScope) -> None:
        await spoke.apply(config_map("widget", spoke.namespace, {"tries": str(config.retries)}))

    async with stage.running(agent):
        await stage.until_data("settings", {"a": "1"})
        await stage.until_said(lambda said: "does not serve widgets" in " ".join(said.awaited))
        await stage.admin.apply(CUSTOM_RESOURCE_DEFINITIONS, widget_crd())

        async def made() -> bool:
            body = plain(WIDGETS, "w", CLUSTER, spec={"retries": 7})
            try:
                await stage.admin.apply(WIDGETS, body)
            except ApiError:
                return False
            return True

        await until(made, what=lambda: "widgets are not served")
        await stage.until_data("widget", {"tries": "7"})
        await stage.until_said(lambda said: not said.awaited)


async def test_two_add_ons_in_one_process_know_nothing_of_each_other(stage: AddonStage) -> None:
    """What is registered belongs to an agent, not to a module; one's bug is not the other's."""
    await stage.put("settings", {"a": "1"})

    def program(name: str, *, is_broken: bool = False) -> AddonAgent:
        agent = AddonAgent(name)

        @agent.configuration("configmaps", namespace=agent.cluster_namespace)
        async def apply(config: KubeObject, spoke: SpokeScope) -> None:
            if is_broken:
                raise ZeroDivisionError("a bug")
            await spoke.apply(config_map(f"of-{name}", spoke.namespace, config["data"]))

        return agent

    async with stage.running(program("one")):
        code = stage.code
        await stage.until_data("of-one", {"a": "1"})
        async with stage.running(program("other", is_broken=True)):
            await eventually(lambda: bool(stage.code.faults), what=lambda: "no fault")
            await stage.put("settings", {"a": "2"})
            await stage.until_data("of-one", {"a": "2"})
            assert code.faults == ()
        async with stage.running(program("other")):
            await stage.until_data("of-other", {"a": "2"})
        await stage.admin.delete(CONFIG_MAPS, "settings", namespace=CLUSTER)
        await stage.until_data("of-one", None)
        assert await stage.data("of-other") == {"a": "2"}, "it is the other's, who does not run"


def widget_crd() -> KubeObject:
    """Return the definition of a kind that is configured with `spec.retries`."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return plain(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com", spec=spec)
