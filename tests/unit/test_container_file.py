"""The container file, as far as it can be judged without building an image."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINER_FILE = ROOT / "deploy" / "Containerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

Instruction = tuple[str, str]


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage; what stands before the first belongs to none."""
    text = re.sub(r"^#.*\n", "", CONTAINER_FILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    found: list[list[Instruction]] = []
    for line in filter(str.strip, lines):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return version and hashes of each distribution in a lock file."""
    blocks = re.findall(
        r"^([a-z0-9-]+)==(\S+)[^\n]*\\\n((?:    --hash=[^\n]*\n?)+)",
        (ROOT / name).read_text(),
        flags=re.MULTILINE,
    )
    return {
        project: (version, frozenset(re.findall(r"sha256:[0-9a-f]{64}", hashes)))
        for project, version, hashes in blocks
    }


@pytest.mark.parametrize("name", ["run", "build"])
def test_the_image_is_locked_as_everything_else_is(name: str) -> None:
    """What was tested is what is shipped."""
    whole, part = locked("requirements.lock"), locked(f"deploy/requirements/{name}.lock")
    assert part
    wrong = sorted(project for project, found in part.items() if whole.get(project) != found)
    assert not wrong, f"{wrong} differ from requirements.lock; run `make lock-image`"


def test_the_image_holds_what_the_program_depends_on_and_no_tools() -> None:
    """A test runner in production is room for somebody else's code."""
    run = locked("deploy/requirements/run.lock")
    needed = {
        re.split(r"[><=~ ]", item)[0].lower().replace("_", "-") for item in PROJECT["dependencies"]
    }
    assert needed <= run.keys()
    assert not {"pytest", "mypy", "hypothesis", "cel-python", "jsonschema", "pip"} & run.keys()


def test_everything_copied_is_there_and_not_ignored() -> None:
    """A build that fails at its tenth step wastes an evening."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = [
        source
        for stage in stages()
        for word, rest in stage
        if word == "COPY" and not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    ]
    assert {"agent", "api", "certs", "hub", "kube", "sandbox"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(source == each or source.startswith(f"{each}/") for each in kept), source
    assert "*" in ignored


def test_the_final_stage_runs_as_a_number_that_is_not_root() -> None:
    """Kubernetes refuses `runAsNonRoot` for a name it cannot look up."""
    final = dict(stages()[-1])
    user, _, group = final["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert final["ENTRYPOINT"] == '["towline"]'
    copies = [rest for word, rest in stages()[-1] if word == "COPY"]
    assert all(rest.startswith("--from=build ") for rest in copies)
    assert not [word for word, _ in stages()[-1] if word == "RUN"], "nothing is run as root there"


def test_the_deployment_runs_it_as_the_same_user() -> None:
    """Otherwise its files belong to somebody else."""
    from towline_hub.deploying.deployment import deployment

    pod = deployment(namespace="n", image="i", replicas=1)["spec"]["template"]["spec"]
    context = pod["securityContext"]
    expected = f"{context['runAsUser']}:{context['runAsGroup']}"
    assert dict(stages()[-1])["USER"] == expected


def test_both_stages_start_from_one_slim_base_of_a_supported_version() -> None:
    """The virtual environment finds its interpreter only on the base it was made on."""
    bases = [rest.split()[0] for stage in stages() for word, rest in stage if word == "FROM"]
    assert bases == ["${PYTHON_IMAGE}"] * 2
    match = re.search(
        r"^ARG PYTHON_IMAGE=\S+/python:(3\.\d+)-slim", CONTAINER_FILE.read_text(), re.MULTILINE
    )
    assert match is not None
    assert f"Programming Language :: Python :: {match[1]}" in PROJECT["classifiers"]


def test_versions_agree() -> None:
    """A label that names another version than the program is worse than none."""
    text = CONTAINER_FILE.read_text()
    assert f'image.version="{PROJECT["version"]}"' in text
    assert set(re.findall(r"towline:(\d+\.\d+\.\d+)", text)) == {PROJECT["version"]}


def test_every_download_is_checked_by_hash_and_the_rest_is_offline() -> None:
    """Reproducible means that nobody else decides what is installed."""
    steps = [
        step.strip()
        for stage in stages()
        for word, rest in stage
        if word == "RUN"
        for step in rest.split("&&")
    ]
    installs = [step for step in steps if " pip " in step]
    assert len(installs) >= 4
    for step in installs:
        assert "--require-hashes" in step or "--no-index" in step, step
    build = dict(stages()[0])
    assert "SOURCE_DATE_EPOCH" in build["ENV"]
    assert "PIP_NO_CACHE_DIR=1" in build["ENV"]
    (compiled,) = [step for step in steps if "compileall" in step]
    assert "unchecked-hash" in compiled
