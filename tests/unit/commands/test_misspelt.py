"""What Invoke can't read on a command line is told with what was meant; exit codes stay Invoke's own."""

import subprocess
import sys
from pathlib import Path

import pytest
from invoke.main import program

import tasks
from commands import misspelt
from lab.topology import ROOT


def told(*words: str) -> list[str]:
    """The mistakes in the words after `invoke`."""
    found, numbers, _ = misspelt.mistakes(tasks.ns, program.initial_context, words)
    return [*found, *numbers]


@pytest.mark.parametrize(
    "words",
    [
        ("lab.up",),
        ("lab.up", "--node", "web1", "lab.status", "--json"),
        ("lab.logs", "--lines=5"),
        ("fault.inject", "slow", "web2", "--loss-percent", "1.5"),
        ("fault.inject", "clock-skew", "web2", "--seconds", "-30"),
        ("lab.exec", "web1", "--version"),
        ("experiment.run", "-r", "3", "control"),
    ],
)
def test_what_invoke_takes_is_no_mistake(words: tuple[str, ...]) -> None:
    """Whatever value follows: that is looked at by the command."""
    assert told(*words) == []


@pytest.mark.parametrize(
    ("words", "mistakes"),
    [
        (("lab.stauts",), ["there is no command 'lab.stauts'; did you mean lab.status? (all: invoke --list)"]),
        (("frob",), ["there is no command 'frob'; see all: invoke --list"]),
        (("lab.up", "--nod", "web1"), ["--nod is not an option of lab.up; did you mean --node?"]),
        (("lab.up", "--nod=web1"), ["--nod is not an option of lab.up; did you mean --node?"]),
        (("experiment.run", "--rond", "3", "x"), ["--rond is not an option of experiment.run; did you mean --rounds?"]),
        (("lab.doctor", "--quick"), ["--quick is not an option of lab.doctor; one of: --help"]),
        (("lab.logs", "--lines", "few"), ["--lines must be a whole number (it is 'few')"]),
        (("lab.logs", "--node"), ["--node needs a value"]),
        (("fault.inject", "slow"), ["fault.inject needs NODE"]),
        (("lab.status", "web1"), ["'web1' is too much: lab.status takes no more words"]),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(words: tuple[str, ...], mistakes: list[str]) -> None:
    """A command, an option before or after its words, a number, a value that is missing."""
    assert told(*words) == mistakes


def test_all_mistakes_of_a_line_are_told_at_once() -> None:
    """The second one is not kept for the second try."""
    assert len(told("lab.up", "--nod", "web1", "lab.logs", "--line", "x", "lab.stauts")) == 4


def test_looking_takes_no_help_text_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invoke moves the help of an option out of its task when it first asks for it."""
    texts = {"lines": "so many of each log"}
    monkeypatch.setattr(tasks.ns["lab.logs"], "help", dict(texts))
    told("lab.stauts")
    assert tasks.ns["lab.logs"].help == texts


def ends(*words: str, cwd: Path = ROOT) -> tuple[int, str]:
    """Exit code and errors of `invoke WORDS` as a user gives it."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("lab.stauts",), 1, "did you mean lab.status?"),
        (("--help", "lab.stauts"), 1, "did you mean lab.status?"),
        (("lab.logs", "--lines", "few"), 2, "--lines must be a whole number"),
    ],
)
def test_a_line_that_can_not_be_read_ends_as_the_readme_says(words: tuple[str, ...], code: int, message: str) -> None:
    """1 is Invoke's own for an unknown command, 2 a wrong value; no traceback."""
    ended, errors = ends(*words, cwd=ROOT / "docs")
    assert (ended, message in errors, "Traceback" in errors) == (code, True, False)
