"""Agents that come in with tokens: what the hub makes for them, and takes away again."""

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from integration.hub.conftest import HUB_USER, RunHub
from integration.hub.declared import (
    Installed,
    apply_rights,
    in_settings,
    message_of,
    remove_rights,
)
from integration.hub.spoke import Spoke, eventually, join
from towline_api import names
from towline_api.condition_types import (
    REGISTRATION_APPLIED,
    TOKEN_INFRASTRUCTURE_READY,
    find_service_account_uid,
)
from towline_api.conditions import find_condition
from towline_api.metadata import owner_references_of, uid_of
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.permissions import hub_permissions
from towline_kube.client import Client
from towline_kube.errors import Forbidden, Unauthorized

READY = TOKEN_INFRASTRUCTURE_READY


@pytest_asyncio.fixture
async def declaration(admin: Client) -> AsyncIterator[AddonDeclaration]:
    """An add-on that may have tokens, and a hub that may hand them out."""
    declared = AddonDeclaration(f"addon-{secrets.token_hex(4)}", token_driver=True)
    rights = hub_permissions(user_subject(HUB_USER), declarations=[declared])[2:]
    await apply_rights(admin, rights)
    yield declared
    await remove_rights(admin, rights)


async def infrastructure(here: Installed) -> list[KubeObject | None]:
    """Return service account, Role and RoleBinding, as far as they are there."""
    namespace, role = here.spoke.cluster, names.addon_token_role(here.addon)
    account = names.addon_service_account(here.addon)
    return [
        await here.admin.find(SERVICE_ACCOUNTS, account, namespace=namespace),
        await here.admin.find(ROLES, role, namespace=namespace),
        await here.admin.find(ROLE_BINDINGS, role, namespace=namespace),
    ]


async def until_gone(here: Installed) -> None:
    """Wait until nothing of it is there."""

    async def gone() -> bool | None:
        return True if not any(await infrastructure(here)) else None

    await eventually(gone, what="the end of what the tokens took")


async def test_the_hub_makes_what_ocms_agents_expect(
    spoke: Spoke, admin: Client, run_hub: RunHub, declaration: AddonDeclaration
) -> None:
    """Names, labels, rules, subjects and the sentence that agents parse, letter by letter."""
    cluster, addon = spoke.cluster, declaration.name
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, addon).install()
        await here.until(REGISTRATION_APPLIED, "True")
        assert not any(await infrastructure(here))
        await here.declare_driver("token")
        told = await here.until(READY, "True", "TokenInfrastructureReady")
        account, role, binding = await infrastructure(here)
        assert account is not None
        assert role is not None
        assert binding is not None
        assert message_of(told, READY) == (
            f"ServiceAccount {cluster}/{addon}-agent (UID: {uid_of(account)}) is ready"
        )
        assert find_service_account_uid(message_of(told, READY)) == uid_of(account)
        for obj in (account, role, binding):
            labels = obj["metadata"]["labels"]
            assert labels["addon.open-cluster-management.io/name"] == addon
            assert labels["addon.open-cluster-management.io/token-infrastructure"] == "true"
            assert [owner["kind"] for owner in owner_references_of(obj)] == ["ManagedClusterAddOn"]
        assert role["metadata"]["name"] == binding["metadata"]["name"] == f"{addon}-token-role"
        assert role["rules"] == [
            {
                "apiGroups": [""],
                "resources": ["serviceaccounts/token"],
                "verbs": ["create"],
                "resourceNames": [f"{addon}-agent"],
            },
            {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["subscribe"]},
        ]
        assert [(item["kind"], item["name"]) for item in binding["subjects"]] == [
            ("Group", f"system:open-cluster-management:{cluster}"),
            ("Group", f"open-cluster-management:{cluster}"),
        ]
        # The subject stays the agent's, and the driver wins over what is declared.
        registered = (await here.until(REGISTRATION_APPLIED, "True"))["status"]
        assert registered["kubeClientDriver"] == "token"
        assert registered["registrations"][0]["subject"] == {
            "user": f"system:serviceaccount:{cluster}:{addon}-agent"
        }


async def test_only_the_clusters_own_agent_gets_tokens(
    spoke: Spoke,
    other_spoke: Spoke,
    admin: Client,
    run_hub: RunHub,
    declaration: AddonDeclaration,
) -> None:
    """Another cluster's agent asks in vain, and the account is good for nothing else."""
    async with (
        run_hub(declarations=in_settings(declaration)),
        await join(spoke, admin) as agent,
        await join(other_spoke, admin) as stranger,
    ):
        here = await Installed(admin, spoke, agent, declaration.name).install()
        async with here.by_token() as client:
            me = await client.whoami()
            assert me.username == f"system:serviceaccount:{spoke.cluster}:{declaration.name}-agent"
            await client.list(CONFIG_MAPS, namespace=spoke.cluster)
            for resource, namespace in ((CONFIG_MAPS, other_spoke.cluster), (ROLES, spoke.cluster)):
                with pytest.raises(Forbidden):
                    await client.list(resource, namespace=namespace)
        intruder = Installed(admin, spoke, stranger, declaration.name)
        with pytest.raises(Forbidden):
            await intruder.ask_for_token()


async def test_a_lost_account_is_made_anew_and_its_tokens_are_dead(
    spoke: Spoke, admin: Client, run_hub: RunHub, declaration: AddonDeclaration
) -> None:
    """Deleting the account is how an operator revokes; the agent reads the new UID."""
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, declaration.name).install()
        await here.declare_driver("token")
        before = message_of(await here.until(READY, "True"), READY)
        token = await here.ask_for_token()
        await admin.delete(
            SERVICE_ACCOUNTS,
            names.addon_service_account(declaration.name),
            namespace=spoke.cluster,
        )

        async def changed() -> bool | None:
            message = message_of(await here.get(), READY)
            return True if message.endswith("is ready") and message != before else None

        await eventually(changed, what="another UID")
        async with here.with_token(token) as client:

            async def refused() -> bool | None:
                try:
                    await client.whoami()
                except Unauthorized:
                    return True
                return None

            # API servers remember who a token was for ten seconds.
            await eventually(refused, what="the end of the old token")


@pytest.mark.parametrize("ending", ["driver", "addon", "denial", "addon-while-down"])
async def test_what_tokens_took_ends_with_its_reason(
    spoke: Spoke, admin: Client, run_hub: RunHub, declaration: AddonDeclaration, ending: str
) -> None:
    """With another driver, or without the add-on or the cluster, nobody asks for tokens."""
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, declaration.name).install()
        await here.declare_driver("token")
        await here.until(READY, "True")
        await here.until(REGISTRATION_APPLIED, "True")
        if ending == "driver":
            await here.declare_driver("csr")
            await until_gone(here)

            async def csr_again() -> bool | None:
                addon = await here.get()
                subject = addon["status"]["registrations"][0]["subject"]
                silent = find_condition(addon, READY) is None
                return True if silent and subject.get("groups") else None

            await eventually(csr_again, what="the certificate's subject again")
            async with here.by_certificate() as client:
                await client.list(CONFIG_MAPS, namespace=spoke.cluster)
        elif ending == "addon":
            await admin.delete(MANAGED_CLUSTER_ADDONS, here.addon, namespace=spoke.cluster)
            await until_gone(here)
        elif ending == "denial":
            patch = {"spec": {"hubAcceptsClient": False}}
            await admin.patch(MANAGED_CLUSTERS, spoke.cluster, patch)
            await until_gone(here)
    if ending == "addon-while-down":
        await admin.delete(MANAGED_CLUSTER_ADDONS, here.addon, namespace=spoke.cluster)
        async with run_hub(declarations=in_settings(declaration)):
            await until_gone(here)


async def test_a_foreign_subject_gets_no_rights(
    spoke: Spoke, admin: Client, run_hub: RunHub, declaration: AddonDeclaration
) -> None:
    """The subject is the agent's to write; whose rights are granted is not."""
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, declaration.name).install()
        foreign = "system:serviceaccount:kube-system:namespace-controller"
        await here.declare_driver("token", user=foreign)
        addon = await here.until(REGISTRATION_APPLIED, "False", "SetPermissionFailed")
        assert foreign in message_of(addon, REGISTRATION_APPLIED)
        for binding in (await admin.list(ROLE_BINDINGS, namespace=spoke.cluster)).items:
            assert foreign not in [item["name"] for item in binding["subjects"]]


async def test_until_the_subject_is_there_the_registration_is_pending(
    spoke: Spoke, admin: Client, run_hub: RunHub, declaration: AddonDeclaration
) -> None:
    """OCM's agents write the driver first and the subject in a second step."""
    async with run_hub(declarations=in_settings(declaration)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, declaration.name).install()
        addon = await here.until(REGISTRATION_APPLIED, "True")
        await agent.patch_status(
            MANAGED_CLUSTER_ADDONS, addon, addon["status"] | {"kubeClientDriver": "token"}
        )
        addon = await here.until(REGISTRATION_APPLIED, "False", "PermissionConfigPending")
        assert message_of(addon, REGISTRATION_APPLIED) == "registration subject not ready"
        await here.until(READY, "True")
        await here.declare_driver("token")
        await here.until(REGISTRATION_APPLIED, "True")


async def test_a_hub_that_may_not_make_accounts_says_what_it_lacks(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """By default a hub holds no right about tokens at all."""
    name = f"addon-{secrets.token_hex(4)}"
    bare = AddonDeclaration(name)
    rights = hub_permissions(user_subject(HUB_USER), declarations=[bare])[2:]
    await apply_rights(admin, rights)
    allowed = AddonDeclaration(name, token_driver=True)
    async with run_hub(declarations=in_settings(allowed)), await join(spoke, admin) as agent:
        here = await Installed(admin, spoke, agent, name).install()
        await here.declare_driver("token")
        addon = await here.until(READY, "False", "TokenInfrastructureApplyFailed")
        message = message_of(addon, READY)
        assert "serviceaccounts" in message
        assert "hub_permissions" in message
    async with run_hub(declarations=in_settings(bare)):
        addon = await here.until_message(READY, "declared without tokens")
        await here.until_message(REGISTRATION_APPLIED, "declare it with token-driver")
    await remove_rights(admin, rights)
