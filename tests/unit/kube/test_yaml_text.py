"""YAML from strangers: read fast, and never the end of the process."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from towline_kube.yaml_text import format_yaml, parse_yaml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(PLAIN)
def test_what_is_written_is_read_again(document: object) -> None:
    """Kubeconfigs are stored in one place and read in another, by whichever parser is there."""
    assert parse_yaml(format_yaml(document)) == document
    text = yaml.safe_dump(document)
    assert parse_yaml(text) == yaml.safe_load(text) == document


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "? " * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    """Without a count of its own, the process would end in a segmentation fault."""
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x", "a: 1\n---\nb: 2", "!!python/none x"])
def test_what_is_no_document_is_refused(text: str) -> None:
    """Several documents are no configuration either, and no object of Python is made."""
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)
