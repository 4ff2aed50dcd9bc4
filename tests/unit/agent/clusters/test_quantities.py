"""What nodes report is summed as Kubernetes would, so that capacities compare as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_agent.clusters.quantities import sum_quantities
from towline_api.errors import WireError


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param([], "0", id="no-nodes"),
        pytest.param(["4"], "4", id="plain"),
        pytest.param(["3920m", "3920m"], "7840m", id="millicores"),
        pytest.param(["500m", "1500m"], "2", id="a-whole-number-loses-its-suffix"),
        pytest.param(["16384256Ki", "16384256Ki"], "32768512Ki", id="memory"),
        pytest.param(["512Mi", "512Mi"], "1Gi", id="largest-binary-suffix"),
        pytest.param(["1Ki", "1"], "1025", id="binary-without-suffix"),
        pytest.param(["0", "1Gi"], "1Gi", id="zero-has-no-family"),
        pytest.param(["1000", "1000"], "2k", id="decimal-suffix"),
        pytest.param(["1e3"], "1k", id="exponent"),
        pytest.param(["1E3"], "1k", id="capital-exponent"),
        pytest.param(["1E"], "1E", id="exa"),
        pytest.param(["0.5"], "500m", id="fraction"),
        pytest.param(["110", "110"], "220", id="pods"),
    ],
)
def test_sums_are_written_as_kubernetes_writes_them(texts: list[str], expected: str) -> None:
    """The hub's scheduler and people compare these texts with what kubectl shows."""
    assert sum_quantities(texts) == expected


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1gi", "--1", "1e", "9" * 65, "1e999"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """A capacity nobody can read must not turn into a number nobody reported."""
    with pytest.raises(WireError):
        sum_quantities([text])


@given(st.lists(st.integers(min_value=0, max_value=2**50), min_size=1, max_size=20))
def test_a_sum_is_a_quantity_again(numbers: list[int]) -> None:
    """Whatever is written can be read back to the same value."""
    once = sum_quantities([f"{number}Ki" for number in numbers])
    assert sum_quantities([once]) == once
    assert sum_quantities([f"{sum(numbers)}Ki"]) == once
