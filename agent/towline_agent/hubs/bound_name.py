"""The name that a bootstrap identity is bound to: what an agent is called that has lost its store.

Without it such an agent would make up another name, and its cluster would be on the hub twice.
"""

import logging
import random
from datetime import timedelta

from towline_agent.hubs.bootstraps import Bootstraps
from towline_api.errors import ConfigError, TransientError
from towline_certs.bootstrap_identity import bound_cluster
from towline_kube.backoff import Backoff
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import ApiError, Unauthorized

log = logging.getLogger(__name__)

_RETRIES = Backoff(first=timedelta(seconds=2), limit=timedelta(minutes=1))


async def find_bound_name(bootstraps: Bootstraps, *, clock: Clock = SYSTEM_CLOCK) -> str | None:
    """Return the one cluster that the bootstrap identity may be; None if it may be any.

    Waits for as long as no hub answers: nothing can be asked for before, and a name that was made
    up in the meantime would stay.

    Args:
        bootstraps: Whom to ask as; the first hub that knows us has the say.
        clock: Time between tries.
    """
    failures = 0
    while bootstraps.listed:
        troubles = []
        for hub in bootstraps.listed:
            try:
                client = await bootstraps.at(hub).client()
                return bound_cluster((await client.whoami()).groups)
            except (TransientError, Unauthorized, ConfigError) as error:
                troubles.append(str(error))
            except ApiError as error:
                # An old hub that does not tell. Such hubs bind no token to a name.
                log.debug("hub does not say who we are", extra={"error": str(error)})
                return None
        failures += 1
        if failures == 1:
            log.warning(
                "no hub says which cluster this is, and no name is set; trying again",
                extra={"error": "; ".join(troubles)},
            )
        await clock.sleep(_RETRIES.delay(failures, roll=random.random()))  # noqa: S311 - spreads load
    return None
