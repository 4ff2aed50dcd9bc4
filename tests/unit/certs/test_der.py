import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from support.csrs import der, der_oid
from towline_certs.der import DerError, decode_oid, expect, read_element


@given(st.binary(max_size=300))
def test_an_element_is_read_as_it_was_written(content):
    """Lengths on both sides of 127 and 255 have different forms."""
    element = read_element(der(0x04, content), tag=0x04)
    assert (element.tag, element.content, element.whole) == (0x04, content, der(0x04, content))


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_children_come_in_order(contents):
    """Subjects are ordered, and duplicates count."""
    element = read_element(der(0x30, *(der(0x0C, content) for content in contents)))
    assert [child.content for child in element.children()] == contents


@given(
    st.integers(0, 2),
    st.integers(0, 39),
    st.lists(st.integers(0, 2**40), max_size=6),
)
def test_object_identifiers_read_as_the_library_reads_them(first, second, rest):
    """An OID decoded wrongly would be looked up in the wrong list."""
    dotted = ".".join(str(arc) for arc in (first, second, *rest))
    assert decode_oid(read_element(der_oid(dotted))) == dotted
    assert x509.ObjectIdentifier("2.5.4.3").dotted_string == "2.5.4.3"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x30", id="no-length"),
        pytest.param(b"\x30\x05\x00", id="content-cut"),
        pytest.param(b"\x30\x00\x00", id="trailing"),
        pytest.param(b"\x30\x80\x00\x00", id="open-length"),
        pytest.param(b"\x30\x81\x01\x00", id="length-too-long-a-form"),
        pytest.param(b"\x30\x82\x00\x80" + bytes(128), id="length-padded"),
        pytest.param(b"\x30\x85\x01\x00\x00\x00\x00", id="absurd-length"),
        pytest.param(b"\x30\x82\x01", id="length-cut"),
        pytest.param(b"\x1f\x81\x00\x00", id="high-tag"),
    ],
)
def test_what_is_not_shortest_definite_der_is_refused(data):
    """BER has many spellings of one value; two readers may disagree on them."""
    with pytest.raises(DerError):
        read_element(data)


@pytest.mark.parametrize("content", [b"", b"\x80\x01", b"\x55\x80\x04", b"\x55\x84"])
def test_object_identifiers_have_one_spelling(content):
    """Padded arcs would let one attribute type hide as another."""
    with pytest.raises(DerError):
        decode_oid(read_element(der(0x06, content)))


def test_a_missing_or_other_element_is_named():
    """The reason ends up on the request."""
    with pytest.raises(DerError, match="found nothing"):
        expect(None, 0x30)
    with pytest.raises(DerError, match="found tag 0x31"):
        expect(read_element(b"\x31\x00"), 0x30)


@given(st.binary(max_size=200))
def test_any_bytes_give_elements_or_the_one_error(data):
    """The reader stands in front of the signature check, so anybody can feed it."""
    try:
        for child in read_element(data).children():
            list(child.children())
    except DerError:
        pass
