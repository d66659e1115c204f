"""TAB in bash and zsh: real shells complete commands, options and names, quickly, in whatever state a checkout is."""

import os
import shutil
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from commands import completion
from lab.durability import Durability
from lab.faults.kinds import KINDS
from lab.topology import ROOT
from tests.support import shell_terminal as terminal

NO_ZSH = pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed: apt-get install zsh")
SHELLS = [pytest.param("bash", id="bash"), pytest.param("zsh", id="zsh", marks=NO_ZSH)]
STARTS = {"bash": ("bash", "--norc", "--noprofile"), "zsh": ("zsh", "-f")}
QUICK_S = 0.15
Offers = Callable[..., list[str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder with a space in its name, with names that have spaces too."""
    root = tmp_path / "my lab"
    shutil.copytree(ROOT / "commands" / "tab", root / "commands" / "tab")
    shutil.copy(ROOT / "lab.yml", root)
    for name in ("experiments/web/web2-slow", "experiments/control", "experiments/my own cut"):
        path = root / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("20260101T000000Z-control", "20260102T000000Z-my own cut", "load"):
        (root / "runs" / name).mkdir(parents=True)
        if name != "load":
            (root / "runs" / name / "timeline.jsonl").touch()
    (root / ".lab").mkdir()
    (root / ".lab" / "snapshots").write_text("before-the-storm\nclean\n", encoding="utf-8")
    return root


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Path]:
    """The file with what `invoke lab.completion SHELL` prints."""

    def write(shell: str) -> Path:
        completion.completion(Context(), shell)
        path = tmp_path / f"completion.{shell}"
        path.write_text(capsys.readouterr().out, encoding="utf-8")
        return path

    return write


def shell_says(shell: str, script: Path, folder: Path, text: str, *words: str) -> str:
    """What a script in this shell prints, with the completion loaded; it must write nothing else."""
    loads = f"compdef() {{ :; }}; . '{script}'; cd '{folder}' || exit 1\n{text}"  # no need to start zsh's system
    environment = {**os.environ, "HOME": str(script.parent), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [*STARTS[shell], "-c", loads, shell, *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env=environment,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def offers(checkout: Path, script: Callable[[str], Path]) -> Offers:
    """The candidates for the last word after `invoke`, in a folder inside the checkout."""

    def ask(shell: str, *words: str, folder: Path = checkout / "experiments" / "web", before: str = "") -> list[str]:
        text = f'{before}\n_weblab_candidates "$@"; true'
        return shell_says(shell, script(shell), folder, text, *words).splitlines()

    return ask


CASES: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "a command": (("lab.st",), {"lab.status"}),
    "a second command": (("lab.up", "--node", "web1", "lab.st"), {"lab.status"}),
    "a command to explain": (("--help", "fault.h"), {"fault.heal"}),
    "an option": (("lab.up", "--n"), {"--node"}),
    "a node": (("lab.up", "--node", ""), {"lb1", "web1", "web2"}),
    "a node after =": (("lab.up", "--node=w"), {"--node=web1", "--node=web2"}),
    "a server with a database": (("db.promote", ""), {"web1", "web2"}),
    "a node of a fault": (("fault.inject", "replication-lag", ""), {"web1", "web2"}),
    "a kind of fault": (("fault.inject", "service-"), {"service-kill", "service-stop", "service-freeze"}),
    "options of a fault": (("fault.inject", "clock-skew", "web1", "--s"), {"--seconds"}),
    "a service": (("fault.inject", "service-kill", "web1", "--service", "n"), {"nginx"}),
    "a peer": (("fault.inject", "partition", "lb1", "--peer", ""), {"lb1", "web1", "web2", "all"}),
    "a durability": (("db.durability", ""), set(Durability)),
    "an experiment": (("experiment.run", ""), {"web2-slow", "control", "my own cut"}),
    "several experiments": (("experiment.matrix", "--only", "control,web"), {"control,web2-slow"}),
    "an exercise": (("exercise.check", "03"), {"03-kill-a-web-server"}),
    "a lesson": (("experiment.list", "--lesson", "fail"), {"failover"}),
    "a run": (("experiment.report", "2026"), {"20260101T000000Z-control", "20260102T000000Z-my own cut"}),
    "a snapshot": (("lab.restore", ""), {"before-the-storm", "clean"}),
    "a shell": (("lab.completion", ""), {"bash", "zsh"}),
    "nothing after an unknown command": (("lab.stauts", ""), set()),
    "nothing for a number": (("lab.logs", "--lines", ""), set()),
    "nothing that only looks alike": (("experiment.run", "*"), set()),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("words", "names"), CASES.values(), ids=CASES)
def test_tab_knows_the_names(offers: Offers, shell: str, words: tuple[str, ...], names: set[str]) -> None:
    """Of files they are those of this moment."""
    assert set(offers(shell, *words)) == names


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_knows_every_command_and_option(offers: Offers, shell: str) -> None:
    """Those that this version has, but for the old names of options."""
    assert set(offers(shell, "")) == set(tasks.ns.task_names)
    for context in tasks.ns.to_contexts():
        if not context.name or context.missing_positional_args:
            continue
        flags = {it for it in context.flags if it.startswith("--")} | {"--help"}
        assert set(offers(shell, context.name, "--")) == flags
    kinds = [f"--{name.replace('_', '-')}" for name in KINDS["slow"].options]
    assert set(offers(shell, "fault.inject", "slow", "web2", "--")) == {*kinds, "--for", "--help"}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        (b"", set()),
        (b"nodes:\n\tlb1: [\n", set()),
        (b"\xff\xfe\x00nodes", set()),
        (b"\xef\xbb\xbfsite: x\r\nnodes:\r\n  web7:\r\n    roles: [web, database]\r\n", {"web7"}),
        (b"nodes:\n  # web1:\n  'web8':\n    roles: [database", {"web8"}),
    ],
    ids=["empty", "tabs", "not text", "Windows", "broken off"],
)
def test_a_broken_lab_yml_is_no_trouble_at_the_prompt(
    offers: Offers, checkout: Path, shell: str, text: bytes, nodes: set[str]
) -> None:
    """What can be read is offered, and no error is written into the line; commands are known as ever."""
    (checkout / "lab.yml").write_bytes(text)
    assert set(offers(shell, "db.promote", "")) == nodes
    assert offers(shell, "lab.st") == ["lab.status"]


@pytest.mark.parametrize("shell", SHELLS)
def test_without_runs_and_snapshots_nothing_is_offered(offers: Offers, checkout: Path, shell: str) -> None:
    """A fresh checkout, whatever the user's shell does with a pattern that matches nothing."""
    for name in ("runs", ".lab", "experiments/web", "experiments"):
        shutil.rmtree(checkout / name)
    strict = {"bash": "shopt -s failglob; set -u", "zsh": "setopt nounset nomatch ksharrays"}[shell]
    for words in (("lab.restore", ""), ("experiment.report", ""), ("experiment.run", "")):
        assert offers(shell, *words, folder=checkout, before=strict) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_another_project_with_an_invoke_is_left_alone(offers: Offers, tmp_path: Path, shell: str) -> None:
    """Its commands are not these."""
    assert offers(shell, "lab.st", folder=tmp_path) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_an_answer_takes_no_time(checkout: Path, script: Callable[[str], Path], shell: str) -> None:
    """The median of twenty, with as many experiments and runs as somebody has after a term."""
    for number in range(200):
        (checkout / "experiments" / f"mine-{number}.yml").touch()
        (checkout / "runs" / f"run-{number}").mkdir()
        (checkout / "runs" / f"run-{number}" / "timeline.jsonl").touch()
    text = """
        [ -z "${ZSH_VERSION-}" ] || zmodload zsh/datetime
        for number in 1 2 3 4 5 6 7 8 9 10; do
            for words in experiment.run experiment.report; do
                before=$EPOCHREALTIME; found=$(_weblab_candidates "$words" ""); echo "$before $EPOCHREALTIME"
            done
        done"""
    lines = shell_says(shell, script(shell), checkout, text).splitlines()
    seconds = [float(after) - float(before) for before, after in map(str.split, lines)]
    assert len(seconds) == 20 and statistics.median(seconds) < QUICK_S


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("invoke lab.sta\t", "[lab.status]"),
        (".venv/bin/invoke lab.up --node=lb\t", "[lab.up] [--node=lb1]"),
        ("invoke experiment.run my\t", "[experiment.run] [my own cut]"),
        ("invoke experiment.run 'my o\t", "[experiment.run] [my own cut]"),
    ],
    ids=["a command", "a value after = of another path", "spaces", "an open quote"],
)
def test_a_person_presses_tab(
    checkout: Path, script: Callable[[str], Path], tmp_path: Path, shell: str, keys: str, words: str
) -> None:
    """At a terminal: what is completed is what the command gets."""
    program = checkout / ".venv" / "bin" / "invoke"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/bash\nprintf 'got:'; printf ' [%s]' \"$@\"; echo .\n", encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(tmp_path), "TERM": "xterm", "PS1": "ready:", "LC_ALL": "C.UTF-8"}
    with terminal.opened([*STARTS[shell], "-i"], checkout, env) as it:
        it.types("", until="ready:")
        it.types(f". '{script(shell)}'; echo loa''ded\n", until="loaded")
        it.types("", until="ready:")
        assert f"got: {words}." in it.types(f"{keys}\n", until="].")


def test_an_unknown_shell_is_refused() -> None:
    """Exit code 2, with those that there are."""
    with pytest.raises(Exit) as ending:
        completion.completion(Context(), "fish")
    assert ending.value.code == 2 and "bash, zsh" in str(ending.value.message)
