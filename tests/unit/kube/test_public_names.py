"""What `towline_kube` offers is what it says it offers."""

import towline_kube


def test_every_public_name_exists_once() -> None:
    """A name in `__all__` that is gone breaks star imports and documentation, and nothing else."""
    assert sorted(set(towline_kube.__all__)) == sorted(towline_kube.__all__)
    for name in towline_kube.__all__:
        assert hasattr(towline_kube, name)
