"""Whether the hub takes a new credential: asked before it replaces one that works.

A signer with the wrong key issues certificates in which everything is right but the signature, and
only the hub can tell. The old credential may be good for weeks by then, and the way back to it is
gone once the new one is stored in its place.
"""

from collections.abc import Callable

from towline_agent.channel.hub_channel import FIELD_MANAGER
from towline_api.errors import TransientError
from towline_certs.credentials import Credential
from towline_kube.client import Call, Client, user_agent
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.errors import Unauthorized
from towline_kube.retries import RetryPolicy

REFUSALS_BEFORE_GIVING_UP = 5
"""An API server that is just starting may refuse a good certificate, for moments."""


class CredentialProof:
    """Shows new credentials to the hub.

    Args:
        connection: Returns how the hub is reached with a credential.
        user: The user name the hub must see.
        on_call: Told each call, for counting.
        clock: Time.
    """

    def __init__(
        self,
        connection: Callable[[Credential], Connection],
        *,
        user: str,
        on_call: Callable[[Call], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._connection = connection
        self._user = user
        self._on_call = on_call
        self._clock = clock
        self._refused: tuple[str, int] = ("", 0)

    async def find_refusal(self, credential: Credential) -> str | None:
        """Return why the hub does not take a credential; None if it does.

        Raises:
            TowlineError: It cannot be told yet. Ask again a few times.
        """
        try:
            async with Client(
                self._connection(credential),
                field_manager=FIELD_MANAGER,
                user_agent=user_agent("agent"),
                retry=RetryPolicy(attempts=1),
                clock=self._clock,
                on_call=self._on_call,
            ) as client:
                user = await client.whoami()
        except Unauthorized as error:
            fingerprint, count = self._refused
            count = count + 1 if fingerprint == credential.fingerprint else 1
            self._refused = credential.fingerprint, count
            if count < REFUSALS_BEFORE_GIVING_UP:
                raise
            return str(error)
        if user.username != self._user:
            raise TransientError(
                f"the hub takes a new certificate's holder for {user.username!r}, expected "
                f"{self._user!r}; is something in between that authenticates for us?"
            )
        return None
