"""The `towline` command: finds the program that the first words name and hands it the rest.

It lives in the topmost room, the only one that may import both hub and agent. Programs are imported
when they are called, so that `towline agent run` never loads the hub.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata

from towline_sandbox.collector import collector_at_rest, look_less_often

Program = Callable[[Sequence[str]], int]
"""Takes the arguments after its own words and returns the exit status of the process."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@dataclass(frozen=True, slots=True)
class Command:
    """One program of the command line.

    Args:
        words: What a person types after `towline`.
        target: Where its function is, as `module:function`.
        summary: What it does, in half a line.
    """

    words: tuple[str, ...]
    target: str
    summary: str

    def load(self) -> Program:
        """Import and return the program."""
        module, _, function = self.target.partition(":")
        program: Program = getattr(import_module(module), function)
        return program


COMMANDS = (
    Command(("hub", "run"), "towline_hub.commands:run", "run the hub"),
    Command(("agent", "run"), "towline_agent.commands:run", "run the agent of a managed cluster"),
    Command(
        ("agent", "status"),
        "towline_agent.status.command:status",
        "show how an agent stands with its hub",
    ),
    Command(
        ("accept",),
        "towline_hub.decisions.cluster_commands:accept",
        "let a managed cluster join the hub",
    ),
    Command(
        ("token", "create"),
        "towline_hub.joining.token_commands:create",
        "make a token with which a cluster may join",
    ),
    Command(("token", "list"), "towline_hub.joining.token_commands:list_", "show those tokens"),
    Command(
        ("token", "revoke"), "towline_hub.joining.token_commands:revoke", "revoke one by its id"
    ),
    Command(
        ("join-command",),
        "towline_hub.joining.join_command:join_command",
        "print the line to run at the managed cluster",
    ),
    Command(
        ("approve",),
        "towline_hub.decisions.approve_command:approve",
        "approve a request that waits for you",
    ),
    Command(("deny",), "towline_hub.decisions.cluster_commands:deny", "keep a managed cluster out"),
    Command(
        ("remove",), "towline_hub.decisions.cluster_commands:remove", "take a managed cluster off"
    ),
    Command(("status",), "towline_hub.commands:status", "show clusters, add-ons and requests"),
    Command(
        ("explain",),
        "towline_hub.explain.commands:explain",
        "say why a cluster, add-on or request does not work",
    ),
    Command(
        ("doctor",), "towline_hub.doctor.commands:doctor", "look for faults in the hub's set-up"
    ),
    Command(("crds",), "towline_hub.commands:crds", "print the CRDs the hub serves, for kubectl"),
    Command(
        ("manifests", "hub"),
        "towline_hub.deploying.manifest_commands:hub",
        "print what running the hub on its cluster takes",
    ),
    Command(
        ("manifests", "agent"),
        "towline_agent.deploying.manifest_commands:agent",
        "print what running the agent on its cluster takes",
    ),
    Command(("sandbox", "up"), "towline_sandbox.sandbox_up:main", "run a control plane"),
    Command(("demo",), "towline_sandbox.demo:main", "show the whole channel on this machine"),
)


SECTIONS = (
    ("run it", ("hub", "agent")),
    (
        "let clusters join and leave",
        ("token", "join-command", "accept", "approve", "deny", "remove"),
    ),
    ("see how they are", ("status", "explain", "doctor")),
    ("set it up", ("crds", "manifests")),
    ("try it on this machine", ("sandbox", "demo")),
)
"""How the list of commands is divided, by their first words."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program that the arguments name and return the exit status.

    Args:
        arguments: What follows `towline`; by default what this process was called with.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--version"], ["version"]):
        print(f"towline {metadata.version('towline')}")  # noqa: T201 - what was asked for
        return 0
    command = find_command(words)
    if command is None:
        asked_for_help = not words or words[-1] in ("-h", "--help", "help")
        group = words[:-1] if asked_for_help else words
        print(usage(group), file=sys.stdout if asked_for_help else sys.stderr)
        return 0 if asked_for_help else EXIT_USAGE
    return _run(command, words[len(command.words) :])


def _run(command: Command, arguments: Sequence[str]) -> int:
    with collector_at_rest():
        # Here because it brings pydantic along: asking for help or the version should be quick.
        from towline_api.errors import TowlineError
    try:
        with collector_at_rest():
            program = command.load()
        look_less_often()
        return program(arguments)
    except TowlineError as error:
        print(f"towline: {error}", file=sys.stderr)  # noqa: T201 - the one line a user gets
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def find_command(words: Sequence[str]) -> Command | None:
    """Return the command that the first words name, or None."""
    return next((c for c in COMMANDS if tuple(words[: len(c.words)]) == c.words), None)


def usage(words: Sequence[str] = ()) -> str:
    """Return the list of commands, for one first word if that word names a group."""
    group = words[0] if words and any(c.words[0] == words[0] for c in COMMANDS) else None
    listed = [c for c in COMMANDS if group is None or c.words[0] == group]
    lines = ["usage: towline COMMAND [--help] [OPTIONS]", ""]
    if words and group is None:
        lines = [f"towline: no command is called {' '.join(words)!r}", *lines]
    for heading, section in _sections(listed):
        if group is None:
            lines += [f"{heading}:"]
        lines += [f"  towline {' '.join(c.words):15} {c.summary}" for c in section]
    return "\n".join([*lines, "", "  towline COMMAND --help shows a command's options"])


def _sections(listed: Sequence[Command]) -> Iterator[tuple[str, list[Command]]]:
    """Yield headings and their commands; what stands under none comes last."""
    for heading, first_words in SECTIONS:
        ordered = sorted(
            (c for c in listed if c.words[0] in first_words),
            key=lambda c: first_words.index(c.words[0]),
        )
        if ordered:
            yield heading, ordered
    known = {word for _, first_words in SECTIONS for word in first_words}
    if rest := [c for c in listed if c.words[0] not in known]:
        yield "more", rest


if __name__ == "__main__":
    sys.exit(main())
