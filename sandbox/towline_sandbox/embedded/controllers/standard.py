"""Which controllers a plane runs."""

from collections.abc import Callable
from datetime import datetime, timedelta

from towline_certs.authority import Authority
from towline_sandbox.embedded.controllers.garbage_collector import GarbageCollector
from towline_sandbox.embedded.controllers.namespace_basics import NamespaceBasics
from towline_sandbox.embedded.controllers.namespace_termination import NamespaceTermination
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.request_cleaning import RequestCleaner
from towline_sandbox.embedded.controllers.request_signer import RequestSigner
from towline_sandbox.embedded.controllers.role_aggregation import MANAGER, RoleAggregation
from towline_sandbox.embedded.controllers.running import Controllers
from towline_sandbox.embedded.controllers.signing_rules import LONGEST_LIFETIME
from towline_sandbox.embedded.controllers.token_cleaner import TokenCleaner
from towline_sandbox.embedded.model.kinds import Catalog
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.resource_api import ResourceApi


def standard_controllers(
    store: Store,
    *,
    api: ResourceApi,
    catalog: Catalog,
    authority: Authority,
    ca_pem: Callable[[], bytes],
    now: Callable[[], datetime],
    signing_now: Callable[[], datetime] | None = None,
    certificate_lifetime: timedelta | None = None,
) -> Controllers:
    """Return the controllers of a plane.

    Args:
        store: Whose changes they follow.
        api: Carries out what they do.
        catalog: The kinds there are.
        authority: Signs approved requests.
        ca_pem: Returns the certificates that the server's own certificate is verified with.
        now: The clock.
        signing_now: The clock that goes into certificates; by default the same.
        certificate_lifetime: The longest that a certificate is valid, and how long it is if the
            request does not say; by default a year.
    """
    calls = OwnCalls(api, catalog=catalog, now=now)
    return Controllers(
        store,
        (
            RequestSigner(
                store,
                calls=calls,
                authority=authority,
                now=signing_now or now,
                longest=certificate_lifetime or LONGEST_LIFETIME,
            ),
            RequestCleaner(store, calls=calls, now=now),
            NamespaceBasics(store, calls=calls, ca_pem=ca_pem),
            NamespaceTermination(store, catalog=catalog, calls=calls, now=now),
            GarbageCollector(store, catalog=catalog, calls=calls),
            TokenCleaner(store, calls=calls, now=now),
            RoleAggregation(store, calls=OwnCalls(api, catalog=catalog, now=now, manager=MANAGER)),
        ),
    )
