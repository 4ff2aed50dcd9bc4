"""JSON on the wire: read as the standard library reads it, and written so that it is read back."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from towline_kube.wire_json import decode, encode

# Integers of Kubernetes have 64 bits; beyond them even its own servers read floats.
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=()))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(document=DOCUMENTS)
@example(document={"half a character": "\ud800"})
def test_what_is_written_is_read_back(document: object) -> None:
    """By us and by anybody else."""
    written = encode(document)
    assert decode(written) == document
    assert json.loads(written) == document


@given(document=DOCUMENTS)
def test_what_others_write_is_read(document: object) -> None:
    """However they lay it out."""
    assert decode(json.dumps(document, indent=1)) == document


@given(text=st.binary() | st.text(alphabet='{}[]",:0123456789-+.eE\\utrufalsn ').map(str.encode))
@example(text=b'"\\ud800"')
@example(text=b"[" * 100_000)
@example(text=b"\xef\xbb\xbf{}")
@example(text=b'{"n": [18446744073709551616, -0]}')
@example(text=b'{"n": 1e400}')
def test_any_bytes_are_read_as_the_standard_library_reads_them(text: bytes) -> None:
    """They come from whoever answers at the server's address."""
    try:
        expected = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        with pytest.raises((ValueError, RecursionError)):
            decode(text)
    else:
        assert repr(decode(text)) == repr(expected)


def _integer(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(number)


@dataclass
class NoJson:
    """JSON has no form for it."""

    name: str = "it"


@pytest.mark.parametrize("document", [{"a": NoJson()}, {"a": datetime.now(UTC)}, {"a": b"b"}, {1j}])
def test_what_json_has_no_form_for_is_refused(document: object) -> None:
    """Rather than written in a form that nobody chose."""
    with pytest.raises(TypeError):
        encode(document)


def test_a_document_that_holds_itself_is_refused() -> None:
    """It has no end."""
    document: list[object] = []
    document.append(document)
    with pytest.raises((ValueError, TypeError, RecursionError)):
        encode(document)


def test_numbers_beyond_64_bits_are_written() -> None:
    """Whole."""
    assert encode({"n": 2**70}) == b'{"n":%d}' % 2**70
