"""Names are checked the way an API server checks them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.dns_names import is_dns_label, is_dns_subdomain


@pytest.mark.parametrize("name", ["a", "0", "c1", "my-cluster", "a--b", "a" * 63])
def test_labels_are_recognized(name: str):
    """These all name real clusters somewhere."""
    assert is_dns_label(name)
    assert is_dns_subdomain(name)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "a:b", "a/b", "a\n", "é", "a b", "٣", "*", ".."]
)
def test_other_text_is_no_name(name: str):
    """A colon or a slash in a name would let it pass for another identity or path."""
    assert not is_dns_label(name)
    assert not is_dns_subdomain(name)


def test_dots_make_a_subdomain_not_a_label():
    """A cluster's name is one label, since it names a namespace."""
    assert is_dns_subdomain("example.com")
    assert not is_dns_label("example.com")
    assert not is_dns_subdomain("a..b")
    assert not is_dns_subdomain(".a")
    assert not is_dns_subdomain("a.")


def test_names_have_their_longest_length():
    """One character more does not fit the API."""
    assert not is_dns_label("a" * 64)
    assert is_dns_subdomain("a" * 253)
    assert not is_dns_subdomain("a" * 254)


@given(st.text(alphabet="ab0-._:A/", max_size=70))
def test_every_label_is_a_subdomain(name: str):
    """And neither ever holds a character that separates identities."""
    if is_dns_label(name):
        assert is_dns_subdomain(name)
    if is_dns_subdomain(name):
        assert not set(name) & set(":/_A")
