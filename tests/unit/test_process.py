"""Commands on the hosting machine: bounded, never silent, errors with evidence."""

import os
import time
from pathlib import Path

import pytest

from lab import process, progress, wait
from lab.errors import CommandFailed, GivenUp, InfrastructureBroken, TimedOut


def test_output_and_exit_code_come_back() -> None:
    """Both streams, in order."""
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=5, ok=(0, 3))
    assert (done.exit_code, done.output) == (3, "out\nerr\n")


def test_standard_input_is_fed() -> None:
    """Text for a command's standard input arrives whole."""
    assert process.run(["cat"], timeout=5, stdin="x" * 200_000).output == "x" * 200_000


def test_a_failure_shows_command_exit_code_and_last_lines() -> None:
    """The evidence, and only its end."""
    with pytest.raises(CommandFailed) as caught:
        process.run(["sh", "-c", "seq 1 40; exit 9"], timeout=5, hint="try again")
    text = str(caught.value)
    assert "host$ sh -c 'seq 1 40; exit 9'" in text
    assert "exit 9" in text and "    40\n" in text and "    30\n" not in text
    assert text.endswith("next: try again")


def test_a_command_that_hangs_is_ended_at_its_deadline() -> None:
    """With what it had printed, and with its children."""
    start = time.monotonic()
    with pytest.raises(TimedOut, match=r"(?s)not done within 1 s.*started"):
        process.run(["sh", "-c", "echo started; sleep 600 & wait"], timeout=1)
    assert time.monotonic() - start < 10


def test_a_command_that_is_given_up_may_tidy_up(tmp_path: Path) -> None:
    """It is interrupted as by Ctrl-C, with its children, and waited for; what it had printed is told."""
    script = f"trap 'sleep 0.3; touch {tmp_path}/tidied; exit 130' INT; echo started; while :; do sleep 0.1; done"
    asked = iter([False, False])
    with pytest.raises(GivenUp, match=r"(?s)ended before it was done.*started"):
        process.run(["bash", "-c", script], timeout=30, give_up=lambda: next(asked, True))
    assert (tmp_path / "tidied").exists()


def test_a_command_that_ignores_every_word_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was begun goes on behind the lab's back."""
    monkeypatch.setattr(process, "ENDS", [(name, 0.3) for name, _ in process.ENDS])
    with pytest.raises(TimedOut) as caught:
        process.run(["bash", "-c", "trap '' INT TERM; echo $$; exec sleep 60"], timeout=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(caught.value.evidence), 0)


def test_a_missing_program_is_named_with_what_installs_it() -> None:
    """Not a traceback."""
    with pytest.raises(InfrastructureBroken, match=r"(?s)no-such-program is not installed.*bootstrap"):
        process.run(["no-such-program"], timeout=5)


def test_waiting_ends_with_the_last_answer_and_the_evidence() -> None:
    """A wait that fails says what it saw."""
    with pytest.raises(TimedOut) as caught:
        wait.until("moon rises", lambda: 0, 0.05, every=0.01, where="sky", evidence=lambda: "clouds", hint="wait")
    assert str(caught.value) == "sky: moon rises: not within 0.05 s\n    last answer: 0\n    clouds\nnext: wait"


def test_an_error_while_asking_counts_as_not_yet() -> None:
    """A node that refuses ssh is a node that is not ready."""
    answers = iter([InfrastructureBroken("no"), None, "yes"])

    def ask() -> str | None:
        answer = next(answers)
        if isinstance(answer, InfrastructureBroken):
            raise answer
        return answer

    assert wait.until("answers", ask, 1, every=0.01) == "yes"


def test_a_long_wait_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is silent for longer than it must be."""
    monkeypatch.setattr(wait, "SAY_EVERY_S", 0.02)
    with pytest.raises(TimedOut):
        wait.until("tea is ready", lambda: False, 0.1, every=0.01, where="kitchen")
    assert "still waiting: tea is ready" in capsys.readouterr().err


def test_stages_are_timed(capsys: pytest.CaptureFixture[str]) -> None:
    """What --timings prints."""
    with progress.stage("boot"):
        pass
    assert "boot" in progress.timings() and "total" in progress.timings()
