"""Second act: an add-on gets an identity of its own, and its configuration."""

import time
from functools import partial

from towline_api import condition_types, names
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CLUSTER_MANAGEMENT_ADDONS,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    ROLES,
    SECRETS,
    KubeObject,
)
from towline_sandbox.demo.stage import ADDON, CLUSTER, PATIENCE, Stage, condition, summarize
from towline_sandbox.demo.steps import Story
from towline_sandbox.grants import new_namespace
from towline_sandbox.waiting import until

OPERATOR_NAMESPACE = "open-cluster-management"
DEPLOYMENT_CONFIG = "helloworld-defaults"
GREETING = "greeting"


async def enable_addon(story: Story, stage: Stage) -> None:
    """Act as the hub's operator: define the add-on, its configuration, and enable it."""
    with story.step(f"an operator enables the add-on {ADDON} on {CLUSTER}") as seen:
        await stage.hub.apply(NAMESPACES, new_namespace(OPERATOR_NAMESPACE))
        await stage.hub.apply(
            ADDON_DEPLOYMENT_CONFIGS,
            {
                "apiVersion": ADDON_DEPLOYMENT_CONFIGS.api_version,
                "kind": ADDON_DEPLOYMENT_CONFIGS.kind,
                "metadata": {"name": DEPLOYMENT_CONFIG, "namespace": OPERATOR_NAMESPACE},
                "spec": {"customizedVariables": [{"name": "LOG_LEVEL", "value": "info"}]},
            },
        )
        await stage.hub.apply(
            CLUSTER_MANAGEMENT_ADDONS,
            {
                "apiVersion": CLUSTER_MANAGEMENT_ADDONS.api_version,
                "kind": CLUSTER_MANAGEMENT_ADDONS.kind,
                "metadata": {"name": ADDON},
                "spec": {
                    "addOnMeta": {"displayName": "Hello World"},
                    "supportedConfigs": [
                        {
                            "group": ADDON_DEPLOYMENT_CONFIGS.group,
                            "resource": ADDON_DEPLOYMENT_CONFIGS.plural,
                            "defaultConfig": {
                                "namespace": OPERATOR_NAMESPACE,
                                "name": DEPLOYMENT_CONFIG,
                            },
                        }
                    ],
                },
            },
        )
        await put_greeting(stage, "hello")
        await stage.hub.apply(
            MANAGED_CLUSTER_ADDONS,
            {
                "apiVersion": MANAGED_CLUSTER_ADDONS.api_version,
                "kind": MANAGED_CLUSTER_ADDONS.kind,
                "metadata": {"name": ADDON, "namespace": CLUSTER},
                "spec": {},
            },
        )
        seen.append(f"ClusterManagementAddOn {ADDON}, ManagedClusterAddOn {CLUSTER}/{ADDON}")
        seen.append(f"AddOnDeploymentConfig {OPERATOR_NAMESPACE}/{DEPLOYMENT_CONFIG}")
        seen.append(f"ConfigMap {CLUSTER}/{GREETING} for it: message=hello")


async def show_credential(story: Story, stage: Stage) -> None:
    """Show where the add-on's credential rests and what it may do."""
    with story.step(
        "the add-on's credential is on the managed cluster, with RBAC of its own"
    ) as seen:
        secret = names.addon_hub_kubeconfig_secret(ADDON)

        async def stored() -> KubeObject | None:
            return await stage.spoke.find(SECRETS, secret, namespace=names.ADDON_NAMESPACE)

        found = await until(
            f"Secret {names.ADDON_NAMESPACE}/{secret}",
            stored,
            within=PATIENCE,
            last_seen=partial(_addon_summary, stage),
        )
        seen.append(f"Secret {names.ADDON_NAMESPACE}/{secret}: {', '.join(sorted(found['data']))}")
        role = await stage.hub.get(ROLES, names.addon_agent_role(ADDON), namespace=CLUSTER)
        for rule in role["rules"]:
            named = f" named {', '.join(rule['resourceNames'])}" if "resourceNames" in rule else ""
            seen.append(
                f"in namespace {CLUSTER}: {', '.join(rule['verbs'])} on "
                f"{', '.join(rule['resources'])}{named}"
            )


async def show_configuration(story: Story, stage: Stage, *, started: float) -> None:
    """Show the configuration on the managed cluster and its hash reported on the hub."""
    with story.step("the add-on's configuration is applied and reported") as seen:
        await _until_greeting(stage, "hello")
        seen.append(f"ConfigMap {names.ADDON_NAMESPACE}/{GREETING}: message=hello")
        seen.append(f"{time.monotonic() - started:.2f} s after the agent's process was started")

        async def reported() -> KubeObject | None:
            addon = await stage.hub.get(MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER)
            references = addon.get("status", {}).get("configReferences", [])
            done = references and all(
                r.get("lastAppliedConfig", {}).get("specHash")
                == r.get("desiredConfig", {}).get("specHash", "")
                for r in references
            )
            return addon if done else None

        addon = await until(
            "the applied spec hash",
            reported,
            within=PATIENCE,
            last_seen=partial(_addon_summary, stage),
        )
        for reference in addon["status"]["configReferences"]:
            applied = reference["lastAppliedConfig"]
            seen.append(
                f"{reference['resource']} {applied['namespace']}/{applied['name']} applied, "
                f"spec hash {applied['specHash'][:12]}…"
            )
        progressing = condition(addon, condition_types.PROGRESSING, status="False") or {}
        if progressing:
            seen.append(f"Progressing: {progressing['reason']}, {progressing['message']}")


async def show_change(story: Story, stage: Stage) -> None:
    """Show a change on the hub arriving at the managed cluster, and a removal."""
    with story.step("a change on the hub reaches the managed cluster") as seen:
        await put_greeting(stage, "ahoy")
        await _until_greeting(stage, "ahoy")
        seen.append(f"ConfigMap {names.ADDON_NAMESPACE}/{GREETING}: message=ahoy")
    with story.step("what is removed on the hub is pruned on the managed cluster") as seen:
        await stage.hub.delete(CONFIG_MAPS, GREETING, namespace=CLUSTER)

        async def gone() -> bool | None:
            found = await stage.spoke.find(CONFIG_MAPS, GREETING, namespace=names.ADDON_NAMESPACE)
            return True if found is None else None

        await until(f"removal of {GREETING}", gone, within=PATIENCE)
        seen.append(f"ConfigMap {names.ADDON_NAMESPACE}/{GREETING} is gone")
        await put_greeting(stage, "hello again")
        await _until_greeting(stage, "hello again")


async def show_health(story: Story, stage: Stage) -> None:
    """Show the add-on's health on the hub."""
    with story.step("the add-on is available") as seen:

        async def available() -> KubeObject | None:
            addon = await stage.hub.get(MANAGED_CLUSTER_ADDONS, ADDON, namespace=CLUSTER)
            return condition(addon, condition_types.AVAILABLE)

        found = await until(
            "Available", available, within=PATIENCE, last_seen=partial(_addon_summary, stage)
        )
        seen.append(f"{found['reason']}: {found['message']}")


async def put_greeting(stage: Stage, message: str) -> None:
    """Write the add-on's ConfigMap on the hub, as its operator would."""
    await stage.hub.apply(
        CONFIG_MAPS,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": GREETING, "namespace": CLUSTER},
            "data": {"message": message},
        },
    )


async def _until_greeting(stage: Stage, message: str) -> None:
    async def applied() -> bool | None:
        found = await stage.spoke.find(CONFIG_MAPS, GREETING, namespace=names.ADDON_NAMESPACE)
        return True if found and found.get("data", {}).get("message") == message else None

    await until(
        f"ConfigMap {names.ADDON_NAMESPACE}/{GREETING} with message={message}",
        applied,
        within=PATIENCE,
        last_seen=partial(_addon_summary, stage),
    )


async def _addon_summary(stage: Stage) -> str:
    return await summarize(stage.hub, MANAGED_CLUSTER_ADDONS, name=ADDON, namespace=CLUSTER)
