"""Go's regular expressions mean here what they mean in Go."""

import pytest

from towline_sandbox.embedded.expressions.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        pytest.param("^a$", "a", True, id="plain"),
        pytest.param("^a$", "a\n", False, id="end-is-the-end"),
        pytest.param("(?m)^a$", "a\nb", True, id="end-of-line-when-asked"),
        pytest.param(r"^a\z", "a\n", False, id="absolute-end"),
        pytest.param(r"^\d$", "٣", False, id="digits-are-ascii"),
        pytest.param("^[[:alpha:]]+$", "abc", True, id="posix-class"),
        pytest.param("^[[:alpha:]]+$", "ab1", False, id="posix-class-excludes"),
        pytest.param("^[a[]$", "[", True, id="bracket-in-class"),
        pytest.param("^[]a]$", "]", True, id="closing-bracket-first"),
        pytest.param("^[$]$", "$", True, id="dollar-in-class"),
        pytest.param(r"^\$$", "$", True, id="dollar-escaped"),
        pytest.param(r"^\x{e9}$", "é", True, id="code-point"),
        pytest.param(r"^[a-z]([-a-z0-9]*[a-z0-9])?$", "a-1", True, id="label"),
    ],
)
def test_a_pattern_matches_as_in_go(pattern: str, text: str, *, matches: bool) -> None:
    """Schemas of others are written and tested with Go."""
    assert (compile_pattern(pattern).search(text) is not None) is matches
