"""The last line of a test run tells the truth about what it ran on."""

from support.planes_plugin import planes_line


def test_planes_of_all_workers_make_one_line() -> None:
    """Whoever reads a log in CI looks for exactly this."""
    kube = "kube v1.37.2 (real kube-apiserver)"
    line = planes_line([(kube, 3.25), (kube, 4.06)], missing=set())
    expected = "planes: kube v1.37.2 (real kube-apiserver), 2 started, each up within 4.1 s"
    assert line == expected


def test_skipped_tests_say_why() -> None:
    """A green run that skipped everything real must not look like another."""
    assert planes_line([], missing={"no control plane"}) == "planes: none (no control plane)"


def test_a_run_on_one_plane_of_two_says_so() -> None:
    """The conformance suite runs on what there is; what there was not has to be told."""
    line = planes_line([("embedded", 0.1)], missing={"kube: no binaries"})
    assert line == ("planes: embedded, 1 started, each up within 0.1 s; not on kube: no binaries")


def test_a_run_without_integration_tests_says_so() -> None:
    """Nothing was missing then; nobody asked."""
    assert planes_line([], missing=set()) == "planes: none (no test asked for one)"
