"""Quantities come back in the one form Kubernetes writes them in, and mean the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_sandbox.embedded.built_in.quantities import (
    QuantityError,
    canonical_quantity,
    parse_quantity,
)

WRONG_FORM = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
SUFFIXES = ("", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "e3", "e-2")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("00", "0"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1000000", "1M"),
        ("100000k", "100M"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1.5Ki", "1536"),
        ("0.1Ki", "102400m"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("-1", "-1"),
        ("0.0000000001", "1n"),
    ],
)
def test_a_quantity_is_written_as_the_real_server_writes_it(text: str, canonical: str) -> None:
    """What is applied again must not look changed because of how it is spelled."""
    assert canonical_quantity(text) == canonical


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("abc", WRONG_FORM),
        ("", WRONG_FORM),
        ("5x", WRONG_FORM),
        ("1.2.3", WRONG_FORM),
        ("5KI", WRONG_FORM),
        ("1\n", WRONG_FORM),
        ("1e", "unable to parse quantity's suffix"),
        ("1m1", "unable to parse quantity's suffix"),
        ("1e99999", "unable to parse quantity's suffix"),
    ],
)
def test_what_is_no_quantity_is_refused_in_the_real_servers_words(text: str, told: str) -> None:
    """People search for these sentences."""
    with pytest.raises(QuantityError) as refusal:
        canonical_quantity(text)
    assert str(refusal.value) == told


@given(
    number=st.decimals(-10_000, 10_000, places=3).map(lambda found: f"{found:f}"),
    suffix=st.sampled_from([suffix for suffix in SUFFIXES if suffix not in ("n", "u", "m")]),
)
def test_the_canonical_form_means_the_same_and_stays(number: str, suffix: str) -> None:
    """Whatever is written: the form is another one, the amount is not."""
    canonical = canonical_quantity(number + suffix)
    assert parse_quantity(canonical) == parse_quantity(number + suffix)
    assert canonical_quantity(canonical) == canonical
