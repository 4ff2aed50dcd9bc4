"""Looking at the hub's set-up. Reads only, and goes on where it may not look."""

from collections.abc import Sequence
from datetime import datetime

from towline_api import names
from towline_api.bootstrap_tokens import TOKEN_NAMESPACE, TOKEN_SECRET_TYPE
from towline_api.errors import WireError
from towline_api.metadata import creation_time_of, name_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    LEASES,
    SECRETS,
    SELF_SUBJECT_REVIEWS,
    KubeObject,
    Resource,
)
from towline_hub.clusters.acceptance_guard import (
    ADMISSION_GROUP,
    POLICIES,
    POLICY_BINDINGS,
    acceptance_guard,
)
from towline_hub.daemon import ADDONS_FIELD_MANAGER, FIELD_MANAGER
from towline_hub.deploying.installed_settings import DEPLOYMENTS, find_deployment, look_at_settings
from towline_hub.deploying.manifests import shipped_permissions
from towline_hub.doctor.credential_checks import (
    authority_check,
    bootstrap_role_check,
    bootstrap_token,
    tokens_check,
)
from towline_hub.doctor.findings import Diagnosis, Finding, ok, unseen
from towline_hub.doctor.hub_checks import (
    deployment_check,
    leader_check,
    rights_checks,
    rivals_check,
    settings_check,
)
from towline_hub.doctor.rights import look_at_rights, subject_of
from towline_hub.doctor.served_kinds import look_at_kinds, look_at_webhook
from towline_hub.doctor.server_checks import (
    Guard,
    clock_check,
    guard_check,
    kind_check,
    signer_check,
    version_check,
)
from towline_hub.doctor.signer_checks import signer_checks
from towline_hub.joining.bootstrap_guard import bootstrap_guards
from towline_hub.looking import Unseen, look
from towline_hub.permissions import hub_permissions
from towline_hub.settings import HubSettings
from towline_hub.signers.looking_at import look_at_signers
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock

WEBHOOK_CONFIGURATIONS = Resource(
    ADMISSION_GROUP,
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
OCM_VALIDATOR = "managedclustervalidators.admission.cluster.open-cluster-management.io"

_BUNDLE_KEY = "ca-bundle.crt"


class Doctor:
    """Looks at one hub.

    Args:
        client: Whom to ask, as an operator or as the hub itself.
        namespace: Where the hub runs.
        hub_user: User name the hub runs as.
        clock: Where time comes from.
    """

    def __init__(
        self, client: Client, *, namespace: str, hub_user: str, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._hub_user = hub_user
        self._clock = clock

    async def examine(self) -> Diagnosis:
        """Return how everything was found.

        Raises:
            ApiError: The API server cannot be reached, or does not know who asks.
        """
        client, namespace = self._client, self._namespace
        # First and alone: without these nothing else can be asked.
        me = (await client.whoami()).username
        findings = [
            version_check(await client.server_version()),
            ok("identity", f"the API server knows you as {me}"),
            await self._clocks(),
        ]
        kinds = await look_at_kinds(client)
        findings += map(kind_check, kinds)
        findings += await look_at_webhook(client, kinds, now=self._clock.now())
        findings.append(
            signer_check(await self._list(CERTIFICATE_SIGNING_REQUESTS), now=self._clock.now())
        )
        deployment = await find_deployment(client, namespace=namespace)
        installed = await look_at_settings(client, deployment, namespace=namespace)
        findings += [deployment_check(deployment, namespace=namespace), settings_check(installed)]
        settings = installed.settings
        findings.append(await self._leader(settings))
        findings += await self._rights(me, settings)
        if not settings.addons_only:
            # Such a hub looks after add-ons beside another, which accepts and approves.
            findings.append(await self._rivals())
            findings += await self._guards()
            findings += await self._bootstrap()
        findings += await self._signers(settings)
        return Diagnosis(client.connection.server, self._clock.now(), tuple(findings))

    async def _clocks(self) -> Finding:
        before = self._clock.now()
        # The API server stamps the answer, as it would an object, and stores nothing.
        answer = await self._client.create(
            SELF_SUBJECT_REVIEWS,
            {
                "apiVersion": SELF_SUBJECT_REVIEWS.api_version,
                "kind": SELF_SUBJECT_REVIEWS.kind,
                "metadata": {},
            },
        )
        after = self._clock.now()
        return clock_check(server=_stamp(answer), before=before, after=after)

    async def _guards(self) -> list[Finding]:
        webhook = await look(self._client.find(WEBHOOK_CONFIGURATIONS, OCM_VALIDATOR))
        checks = (
            (
                "acceptance guard",
                "whoever may write a ManagedCluster may accept it",
                acceptance_guard(),
                webhook,
            ),
            *(
                (
                    "bootstrap guard",
                    "a bootstrap token that is bound to one cluster is good for any",
                    guard,
                    None,
                )
                for guard in bootstrap_guards()
            ),
        )
        return [
            guard_check(
                Guard(
                    check,
                    without,
                    desired,
                    policy=await look(self._client.find(POLICIES, name_of(desired[0]))),
                    binding=await look(self._client.find(POLICY_BINDINGS, name_of(desired[1]))),
                    webhook=webhook,
                )
            )
            for check, without, desired, webhook in checks
        ]

    async def _leader(self, settings: HubSettings) -> Finding:
        name = ADDONS_FIELD_MANAGER if settings.addons_only else FIELD_MANAGER
        lease = await look(self._client.find(LEASES, name, namespace=self._namespace))
        return leader_check(lease, where=f"{self._namespace}/{name}", now=self._clock.now())

    async def _rights(self, me: str, settings: HubSettings) -> list[Finding]:
        subject = subject_of(self._hub_user)
        rights = await look_at_rights(
            self._client,
            user=self._hub_user,
            me=me,
            shipped=shipped_permissions(subject, settings),
            optional=hub_permissions(subject, installs_crds=True),
        )
        return rights_checks(rights)

    async def _rivals(self) -> Finding:
        found: list[KubeObject] = []
        for namespace in sorted({names.HUB_NAMESPACE, self._namespace}):
            listed = await self._list(DEPLOYMENTS, namespace=namespace)
            if isinstance(listed, Unseen):
                return unseen("other hubs", listed)
            found += listed
        return rivals_check(found, namespace=names.HUB_NAMESPACE)

    async def _bootstrap(self) -> list[Finding]:
        client = self._client
        secrets = await self._list(
            SECRETS, namespace=TOKEN_NAMESPACE, field_selector=f"type={TOKEN_SECRET_TYPE}"
        )
        tokens = (
            secrets
            if isinstance(secrets, Unseen)
            else [token for token in map(bootstrap_token, secrets) if token is not None]
        )
        return [
            bootstrap_role_check(
                await look(client.find(CLUSTER_ROLES, names.BOOTSTRAP_CLUSTER_ROLE)),
                await look(
                    client.find(CLUSTER_ROLE_BINDINGS, names.BOOTSTRAP_CLUSTER_ROLE_BINDING)
                ),
            ),
            tokens_check(tokens, now=self._clock.now()),
        ]

    async def _signers(self, settings: HubSettings) -> list[Finding]:
        """Return how the custom signers of the settings were found, and others' authorities."""
        now = self._clock.now()
        outlooks = await look_at_signers(
            self._client, settings.signers, namespace=settings.namespace, now=now
        )
        findings = signer_checks(
            outlooks.values(),
            declarations=settings.addon_declarations,
            approved=settings.approval_rules.signers,
        )
        known = {signer.bundle for signer in settings.signers}
        found = await self._list(CONFIG_MAPS, namespace=self._namespace)
        if isinstance(found, Unseen):
            return [*findings, unseen("signer authorities", found)]
        return findings + [
            authority_check(
                f"authority {name_of(item)}",
                (item.get("data") or {})[_BUNDLE_KEY],
                now=now,
                fix="a managed authority is rotated by the hub that leads: look at its log; any "
                "other has to be replaced in its Secret by whoever made it",
            )
            for item in found
            if _BUNDLE_KEY in (item.get("data") or {}) and name_of(item) not in known
        ]

    async def _list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Sequence[KubeObject] | Unseen:
        listed = await look(
            self._client.list(
                resource,
                namespace=namespace,
                label_selector=label_selector,
                field_selector=field_selector,
            )
        )
        return listed if isinstance(listed, Unseen) else listed.items


def _stamp(answer: KubeObject) -> datetime | None:
    try:
        return creation_time_of(answer)
    except WireError:
        return None
