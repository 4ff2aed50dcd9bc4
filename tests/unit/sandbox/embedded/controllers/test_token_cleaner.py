"""Bootstrap tokens say themselves when they end."""

import base64
from datetime import UTC, datetime

import pytest

from towline_api.bootstrap_tokens import TOKEN_SECRET_TYPE
from towline_sandbox.embedded.controllers.token_cleaner import expiry


@pytest.mark.parametrize(
    ("type_", "text", "moment"),
    [
        (TOKEN_SECRET_TYPE, "2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        (TOKEN_SECRET_TYPE, "2026-01-01T01:00:00+01:00", datetime(2026, 1, 1, tzinfo=UTC)),
        (TOKEN_SECRET_TYPE, "soon", None),
        (TOKEN_SECRET_TYPE, "", None),
        ("Opaque", "2026-01-01T00:00:00Z", None),
    ],
)
def test_only_a_token_with_a_time_ends(type_: str, text: str, moment: datetime | None) -> None:
    """A Secret of any other kind is nobody's to delete."""
    expiration = base64.b64encode(text.encode()).decode()
    assert expiry({"type": type_, "data": {"expiration": expiration}}) == moment
    assert expiry({"type": type_}) is None
