"""Lines in a stream of bytes, wherever the chunks end."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.errors import WireError
from towline_kube import watch
from towline_kube.watch import LineSplitter


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_chunks_do_not_matter(content: bytes, cuts: list[int]) -> None:
    """The lines of the whole are the lines of its pieces."""
    splitter = LineSplitter()
    places = sorted({0, *(min(cut, len(content)) for cut in cuts), len(content)})
    found: list[bytes] = []
    for start, end in pairwise(places):
        found += splitter.feed(content[start:end])
    found += splitter.feed(b"\n")
    assert found == [line for line in content.split(b"\n") if line.strip()]


def test_a_long_line_costs_no_more_than_its_bytes() -> None:
    """Joining what is there with each chunk would be quadratic: minutes for these."""

    def seconds(*, chunks: int) -> float:
        splitter = LineSplitter()
        began = time.process_time()
        for _ in range(chunks):
            assert splitter.feed(b"x" * 500) == []
        (line,) = splitter.feed(b"\n")
        assert len(line) == 500 * chunks
        return time.process_time() - began

    # Twenty times the bytes; a quadratic splitter needs four hundred times as long.
    few = min(seconds(chunks=2_000) for _ in range(3))
    assert min(seconds(chunks=40_000) for _ in range(3)) < 100 * few


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is the only other limit."""
    monkeypatch.setattr(watch, "LONGEST_LINE", 10)
    splitter = LineSplitter()
    splitter.feed(b"123456789\n123456789")
    with pytest.raises(WireError, match="longer than 10 bytes"):
        splitter.feed(b"12")
