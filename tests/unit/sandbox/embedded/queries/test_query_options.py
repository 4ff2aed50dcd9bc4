"""Options in the query of a call."""

import pytest

from towline_sandbox.embedded.queries.query_options import is_forced


@pytest.mark.parametrize(
    ("query", "forced"),
    [
        ({}, False),
        ({"force": "0"}, False),
        ({"force": "false"}, False),
        ({"force": "fAlSe"}, False),
        ({"force": ""}, True),
        ({"force": "true"}, True),
        ({"force": "f"}, True),
        ({"force": "no"}, True),
    ],
)
def test_whatever_is_not_plainly_no_forces(query: dict[str, str], forced: bool) -> None:
    """The API server reads this option more generously than all others."""
    assert is_forced(query) is forced
