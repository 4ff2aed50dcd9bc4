"""Finding the programs of a control plane, and saying why there are none."""

from pathlib import Path

import pytest

from towline_sandbox.binaries import (
    MODULE,
    PROGRAMS,
    BinariesMissing,
    cache_folder,
    find_binaries,
    kubernetes_version,
    module_digest,
    pinned_version,
)

GO_MOD = """\
module towline/sandbox/binaries

go 1.26.0

require (
	go.etcd.io/etcd/server/v3 v3.7.0
	k8s.io/kubernetes v1.37.2
)
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A Go module like ours."""
    folder = tmp_path / "module"
    command = folder / "cmd" / "etcd"
    command.mkdir(parents=True)
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "go.sum").write_text("k8s.io/kubernetes v1.37.2 h1:abc=\n")
    (command / "main.go").write_text("package main\n")
    return folder


def put_programs(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def test_assets_of_the_environment_win_over_the_cache(tmp_path: Path, module: Path) -> None:
    """Whoever sets the variable wants exactly those programs."""
    assets = tmp_path / "assets"
    put_programs(assets, *PROGRAMS)
    environment = {"KUBEBUILDER_ASSETS": str(assets), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    put_programs(cache_folder(environment=environment, module=module), *PROGRAMS)
    assert find_binaries(environment=environment, module=module).folder == assets


def test_built_programs_are_found_in_the_cache(tmp_path: Path, module: Path) -> None:
    """What `make kube` built is used without further ado."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    folder = cache_folder(environment=environment, module=module)
    put_programs(folder, *PROGRAMS)
    binaries = find_binaries(environment=environment, module=module)
    assert folder.parent == tmp_path / "cache" / "towline" / "kube"
    assert [path.name for path in (binaries.etcd, binaries.kube_apiserver)] == list(PROGRAMS[:2])
    assert binaries.missing == ()


def test_an_empty_cache_names_the_command_that_fills_it(tmp_path: Path, module: Path) -> None:
    """The reason is all that a person sees of a skipped test."""
    with pytest.raises(BinariesMissing, match=r"no control plane in .*v1\.37\.2-.*`make kube`"):
        find_binaries(environment={"XDG_CACHE_HOME": str(tmp_path)}, module=module)


def test_envtest_archives_are_refused_with_what_they_lack(tmp_path: Path, module: Path) -> None:
    """They are what the variable usually points to, and they cannot sign a certificate."""
    put_programs(tmp_path, "etcd", "kube-apiserver")
    with pytest.raises(BinariesMissing, match=r"not hold kube-controller-manager \(envtest"):
        find_binaries(environment={"KUBEBUILDER_ASSETS": str(tmp_path)}, module=module)


def test_a_file_that_cannot_be_executed_is_missing(tmp_path: Path, module: Path) -> None:
    """A download that lost its mode would otherwise fail later, and less clearly."""
    put_programs(tmp_path, *PROGRAMS)
    (tmp_path / "etcd").chmod(0o644)
    with pytest.raises(BinariesMissing, match="does not hold etcd; unset it"):
        find_binaries(environment={"KUBEBUILDER_ASSETS": str(tmp_path)}, module=module)


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "cmd/etcd/main.go"])
def test_whatever_decides_the_build_moves_it_elsewhere(module: Path, changed: str) -> None:
    """A cached build must never be taken for one of other sources."""
    before = module_digest(module)
    (module / changed).write_text((module / changed).read_text() + "// changed\n")
    assert module_digest(module) != before


def test_other_files_of_the_module_do_not_matter(module: Path) -> None:
    """A new toolchain or a note does not cost everybody seven minutes."""
    before = module_digest(module)
    (module / "README.md").write_text("hello")
    assert module_digest(module) == before


def test_versions_are_read_from_the_module(module: Path) -> None:
    """The version stands in one place."""
    assert kubernetes_version(module) == "v1.37.2"
    assert pinned_version("go.etcd.io/etcd/server/v3", module) == "v3.7.0"
    with pytest.raises(BinariesMissing, match=r"requires no version of example\.com/x"):
        pinned_version("example.com/x", module)


def test_an_installation_without_sources_says_so(tmp_path: Path) -> None:
    """The Go module is not part of the wheel."""
    with pytest.raises(BinariesMissing, match="installed without its sources"):
        find_binaries(environment={"XDG_CACHE_HOME": str(tmp_path)}, module=tmp_path / "none")


def test_our_own_module_pins_what_is_built() -> None:
    """The regular expressions fit the real file, too."""
    assert kubernetes_version(MODULE).startswith("v1.")
    assert pinned_version("go.etcd.io/etcd/server/v3", MODULE).startswith("v3.")
