"""fault.inject takes the options of an experiment's file by their names, and the old ones for one more release."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser import Parser
from invoke.parser.context import ParserContext

from commands import fault
from lab.faults.kinds import KINDS, SHAPING, Fault, Kind
from lab.injection import inject_and_heal
from lab.state import lock

Injected = Callable[..., Fault]


@pytest.fixture
def injected(monkeypatch: pytest.MonkeyPatch) -> Injected:
    """The fault that these words of a command line inject."""
    made: list[Fault] = []
    monkeypatch.setattr(lock, "held", nullcontext)
    monkeypatch.setattr(inject_and_heal, "machine_of", lambda *_: None)
    monkeypatch.setattr(inject_and_heal, "inject", lambda lab, it, machine, timer_s: made.append(it))

    def run(*words: str) -> Fault:
        context = ParserContext("inject", args=fault.inject.get_arguments())
        (parsed,) = Parser([context]).parse_argv(["inject", *words])
        given: dict[str, Any] = {arg.name: arg.value for arg in parsed.args.values() if arg.got_value}
        fault.inject(Context(), **given)
        return made[-1]

    return run


def test_each_option_of_a_slow_network_can_be_given(injected: Injected, capsys: pytest.CaptureFixture[str]) -> None:
    """By the names that they have in YAML, with dashes."""
    words = ("--delay-ms", "300", "--jitter-ms", "20", "--loss-percent", "1.5", "--rate-kbit", "800")
    options = injected("slow", "web2", *words).options
    assert options == {"delay_ms": 300, "jitter_ms": 20, "loss_percent": 1.5, "rate_kbit": 800}
    assert options.keys() == SHAPING.keys() and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [("--delay", "--delay-ms", 300), ("--loss", "--loss-percent", 1.5), ("--rate", "--rate-kbit", 800)],
)
def test_an_old_name_works_and_says_the_new_one(
    injected: Injected, capsys: pytest.CaptureFixture[str], old: str, new: str, value: float
) -> None:
    """Nobody's notes are worthless from one day to the next."""
    assert injected("slow", "web2", old, str(value)) == injected("slow", "web2", new, str(value))
    assert capsys.readouterr().err.count(f"{old} is {new} now") == 1


def refused(injected: Injected, *words: str) -> list[str]:
    """What is wrong with these words of a command line; exit 2, and nothing is injected."""
    with pytest.raises(Exit) as caught:
        injected(*words)
    assert caught.value.code == 2
    first, *lines = str(caught.value).splitlines()
    listed = [line.removeprefix("    - ") for line in lines if line.startswith("    - ")]
    return listed or [first.partition(": ")[2]]


def test_jitter_needs_a_delay(injected: Injected) -> None:
    """As in an experiment's file, with the names of the command line."""
    mistakes = ["slow needs at least one of --delay-ms, --loss-percent, --rate-kbit"]
    mistakes += ["--jitter-ms: has no sense without --delay-ms"]
    assert refused(injected, "slow", "web2", "--jitter-ms", "20") == mistakes


def test_an_old_name_beside_the_new_one_is_refused(injected: Injected) -> None:
    """Nobody knows which of the two values was meant."""
    assert refused(injected, "slow", "web2", "--delay", "200", "--delay-ms", "300") == [
        "--delay-ms: is given twice, --delay is its old name"
    ]


def test_one_mistake_is_one_sentence(injected: Injected) -> None:
    """And the command that helps: a list of one thing reads like a form."""
    with pytest.raises(Exit) as caught:
        injected("slow", "wbe1", "--delay-ms", "200")
    sentence, following = str(caught.value).splitlines()
    assert "did you mean web1?" in sentence and following.startswith("next: ")


def test_all_mistakes_are_told_at_once(injected: Injected) -> None:
    """By the names of the command line, whatever kind of mistake each is."""
    words = ("servcie-kill", "wbe1", "--service", "nginix", "--for", "-3")
    told = "\n".join(refused(injected, *words))
    for part in ("did you mean service-kill?", "did you mean web1?", "did you mean nginx?", "--for: must be"):
        assert part in told
    assert refused(injected, "slow", "web2", "--loss-percent", "half", "--pages-per-s", "3") == [
        "--pages-per-s: is not an option of slow; one of: --delay-ms, --jitter-ms, --loss-percent, --rate-kbit",
        "--loss-percent: must be a number from 0.1 to 100 (it is 'half')",
    ]


@pytest.mark.parametrize("value", ["0", "many", "1.5"])
def test_a_number_that_the_kind_does_not_take_is_refused_by_its_option(injected: Injected, value: str) -> None:
    """Zero too: it is a number that was given."""
    (line,) = refused(injected, "replication-lag", "web2", "--seconds", value)
    assert line.startswith("--seconds: must be a whole number")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_whatever_a_file_can_say_of_a_fault_the_command_line_can(kind: Kind) -> None:
    """Each option of each kind, with dashes; a test of the whole table."""
    flags = ParserContext("inject", args=fault.inject.get_arguments()).flags
    assert {f"--{name.replace('_', '-')}" for name in kind.options} <= set(flags)
