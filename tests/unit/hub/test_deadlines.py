"""The heap that says which lease expires next."""

from hypothesis import given
from hypothesis import strategies as st

from towline_hub.clusters.deadlines import Deadlines


def test_a_key_comes_up_once_at_its_deadline() -> None:
    """One expiry is one piece of news, not one per look."""
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("c1", 10.0)
    assert deadlines.pop_due(9.99) == []
    assert deadlines.pop_due(10.0) == ["c1"]
    assert deadlines.pop_due(99.0) == []
    assert deadlines.next() is None


def test_pushing_a_deadline_back_hides_the_earlier_one() -> None:
    """A renewed lease must not expire at the time it would have without the renewal."""
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("c1", 10.0)
    deadlines.set("c1", 20.0)
    assert deadlines.pop_due(15.0) == []
    assert deadlines.next() == 20.0


def test_pulling_a_deadline_forward_counts() -> None:
    """A cluster whose lease duration was shortened is held to the shorter one."""
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("c1", 20.0)
    deadlines.set("c1", 10.0)
    assert deadlines.next() == 10.0
    assert deadlines.pop_due(10.0) == ["c1"]
    assert deadlines.pop_due(30.0) == []


def test_a_discarded_key_never_comes_up() -> None:
    """A deleted cluster does not become Unknown."""
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("c1", 10.0)
    deadlines.discard("c1")
    deadlines.discard("never-there")
    assert "c1" not in deadlines
    assert deadlines.next() is None


def test_renewals_do_not_grow_the_heap() -> None:
    """A fleet renews for months; memory must follow the number of clusters, not of renewals."""
    deadlines: Deadlines[int] = Deadlines()
    for beat in range(1000):
        for key in range(10):
            deadlines.set(key, float(beat))
            if beat % 7 == 0:
                deadlines.set(key, beat - 0.5)
    assert len(deadlines) == 10
    assert len(deadlines._heap) <= 2 * 10 + 64


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "discard", "pop"]),
            st.integers(min_value=0, max_value=5),
            st.integers(min_value=0, max_value=50),
        ),
        max_size=60,
    )
)
def test_it_agrees_with_a_plain_dictionary(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens in whatever order, what is due is what a naive search would find."""
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, float] = {}
    for action, key, at in steps:
        match action:
            case "set":
                deadlines.set(key, float(at))
                model[key] = float(at)
            case "discard":
                deadlines.discard(key)
                model.pop(key, None)
            case _:
                due = {k for k, deadline in model.items() if deadline <= at}
                assert set(deadlines.pop_due(float(at))) == due
                for gone in due:
                    del model[gone]
        assert deadlines.next() == min(model.values(), default=None)
        assert len(deadlines) == len(model)
