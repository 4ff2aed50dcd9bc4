"""Making, and taking away, what lets an add-on's agent come in with tokens."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from towline_api import names
from towline_api.addons import ManagedClusterAddon
from towline_api.condition_types import (
    REASON_TOKEN_INFRASTRUCTURE_FAILED,
    REASON_TOKEN_INFRASTRUCTURE_READY,
    TOKEN_INFRASTRUCTURE_READY,
    token_infrastructure_message,
)
from towline_api.conditions import with_condition
from towline_api.errors import TransientError
from towline_api.metadata import ObjectKey, uid_of
from towline_api.resources import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, KubeObject
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.refused_grants import explain
from towline_hub.addons.token_driver import token_infrastructure, uses_tokens
from towline_hub.object_writer import ObjectWriter
from towline_kube.errors import ApiError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenOutcome:
    """How what an add-on's tokens take stands.

    Args:
        message: For the condition `TokenInfrastructureReady`: on success OCM's sentence, out of
            which agents read the service account's UID.
        error: What the API server refused; None if nothing was.
        ready: Whether tokens can be asked for.
    """

    message: str
    error: ApiError | None = None
    ready: bool = False


class TokenInfrastructure:
    """Keeps the service accounts of add-ons with tokens, and the right to ask for their tokens.

    Args:
        writer: Applies and removes objects.
    """

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer

    async def follow(
        self,
        addon: ManagedClusterAddon,
        *,
        owner: KubeObject,
        declaration: AddonDeclaration | None,
    ) -> TokenOutcome | None:
        """Bring about what an add-on's driver takes; return None if it takes nothing.

        Raises:
            TransientError: The API server could not be asked.
        """
        if not uses_tokens(addon):
            await self.remove(addon.key)
            return None
        if declaration is not None and not (declaration.token_driver and declaration.hub_client):
            await self.remove(addon.key)
            return TokenOutcome(f"add-on {addon.name} is declared without tokens")
        try:
            account, *grants = token_infrastructure(addon.cluster, addon.name, owner=owner)
            live = await self._writer.ensure(account)
            for grant in grants:
                await self._writer.ensure(grant)
        except TransientError:
            raise
        except ApiError as error:
            return TokenOutcome(explain(error, addon=addon.name), error=error)
        message = token_infrastructure_message(
            addon.cluster, names.addon_service_account(addon.name), uid=uid_of(live)
        )
        return TokenOutcome(message, ready=True)

    async def remove(self, key: ObjectKey) -> None:
        """Remove what was made for an add-on's tokens; with the account, all its tokens end."""
        account, role, binding = token_infrastructure(key.namespace or "", key.name, owner={})
        for desired, resource in (
            (binding, ROLE_BINDINGS),
            (role, ROLES),
            (account, SERVICE_ACCOUNTS),
        ):
            live = self._writer.find(desired)
            if live is not None:
                await self._writer.remove(live, resource=resource)
                log.info(
                    "tokens of an add-on ended",
                    extra={
                        "addon": key.name,
                        "cluster": key.namespace or "",
                        "object": resource.describe(
                            desired["metadata"]["name"], namespace=key.namespace
                        ),
                    },
                )


def with_tokens(
    status: dict[str, Any], outcome: TokenOutcome | None, *, now: datetime
) -> dict[str, Any]:
    """Return an add-on's status with what it says about tokens; nothing where it takes none. Pure.

    Args:
        status: The status as it is; not changed.
        outcome: How things stand; None if the add-on has no tokens.
        now: The present, for a condition that changes.
    """
    conditions = status.get("conditions") or []
    if outcome is None:
        kept = [item for item in conditions if item.get("type") != TOKEN_INFRASTRUCTURE_READY]
        return status if len(kept) == len(conditions) else {**status, "conditions": kept}
    changed = with_condition(
        conditions,
        type=TOKEN_INFRASTRUCTURE_READY,
        status="True" if outcome.ready else "False",
        reason=(
            REASON_TOKEN_INFRASTRUCTURE_READY
            if outcome.ready
            else REASON_TOKEN_INFRASTRUCTURE_FAILED
        ),
        message=outcome.message,
        now=now,
    )
    return {**status, "conditions": changed}
