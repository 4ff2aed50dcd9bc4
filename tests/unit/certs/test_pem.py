from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_certs.pem import PemError, PemProblem, find_pem_blocks, format_pem_block

GOOD = format_pem_block("CERTIFICATE REQUEST", b"some bytes of no meaning" * 5)


@given(st.lists(st.tuples(st.sampled_from(["A", "EC PRIVATE KEY"]), st.binary(min_size=1))))
def test_blocks_come_back_as_they_were_written(blocks):
    """Whatever can be written can be read, in order."""
    text = b"".join(format_pem_block(label, content) for label, content in blocks)
    if not blocks:
        return
    assert [(block.label, block.der) for block in find_pem_blocks(text)] == blocks


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"", PemProblem.EMPTY, id="empty"),
        pytest.param(b" \n\t", PemProblem.EMPTY, id="blank"),
        pytest.param(b"x" + GOOD, PemProblem.STRAY_TEXT, id="before"),
        pytest.param(GOOD + b"x", PemProblem.STRAY_TEXT, id="after"),
        pytest.param(GOOD + b"x\n" + GOOD, PemProblem.STRAY_TEXT, id="between"),
        pytest.param(GOOD[:-20], PemProblem.STRAY_TEXT, id="cut"),
        pytest.param(GOOD.replace(b"END CERT", b"END CORT"), PemProblem.STRAY_TEXT, id="labels"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, PemProblem.STRAY_TEXT, id="byte-order-mark"),
        pytest.param(
            GOOD.replace(b"REQUEST-----\n", b"REQUEST-----\nA: b\n\n", 1),
            PemProblem.HEADERS,
            id="header",
        ),
        pytest.param(
            GOOD.replace(b"REQUEST-----\n", b"REQUEST-----\nDEK-Info: b\n\n", 1),
            PemProblem.HEADERS,
            id="header-with-dash",
        ),
        pytest.param(GOOD.replace(b"c29", b"c\x009", 1), PemProblem.BASE64, id="nul"),
        pytest.param(GOOD.replace(b"c29", b"c29=", 1), PemProblem.BASE64, id="inner-padding"),
        pytest.param(
            b"-----BEGIN A-----\nAB==\n-----END A-----\n", PemProblem.BASE64, id="spare-bits"
        ),
        pytest.param(b"-----BEGIN A-----\n-----END A-----\n", PemProblem.BASE64, id="no-content"),
    ],
)
def test_what_is_not_exactly_pem_is_refused(text, reason):
    """Two readers that skip different things see two different documents."""
    with pytest.raises(PemError) as caught:
        find_pem_blocks(text)
    assert caught.value.reason is reason


def test_line_ends_of_other_systems_and_blank_lines_are_fine():
    """White space carries no meaning in PEM."""
    assert len(find_pem_blocks(b"\n" + GOOD.replace(b"\n", b"\r\n") + b"\n\n" + GOOD[:-1])) == 2


def test_a_block_never_shows_its_content():
    """It may be a private key."""
    assert "bytes" not in repr(find_pem_blocks(GOOD)[0]).replace("PemBlock", "")


@given(st.binary())
def test_any_bytes_give_blocks_or_the_one_error(data):
    """Nothing an attacker sends may leave by another way."""
    with suppress(PemError):
        find_pem_blocks(data)
