"""A command that works on three nodes, on a pseudo terminal, in a pipe, and on bad days."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

import pytest

from lab.topology import ROOT
from tests.support.terminal import OURS, THEIRS, Terminal, running

PROGRAM = "tests.support.simulated_converge"
DONE = "configured: 14 files, 3 services changed, 12 s"


def ended(*words: str, columns: int = 80, env: Mapping[str, str] | None = None) -> Terminal:
    """The command when it has ended well."""
    with running(PROGRAM, *words, columns=columns, env=env) as terminal:
        assert terminal.end() == 0, terminal.screen
    return terminal


def piped(*words: str, env: Mapping[str, str] | None = None) -> tuple[str, str]:
    """What the same command writes where nothing is a terminal."""
    own = {name: value for name, value in os.environ.items() if name not in THEIRS} | OURS | dict(env or {})
    argv = [sys.executable, "-m", PROGRAM, *words]
    done = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=own)
    output, errors = done.communicate(timeout=30)
    return output, errors


def steps(text: str) -> list[list[str]]:
    """Node and text of each progress line."""
    return sorted(line.split(maxsplit=2)[1:] for line in text.splitlines() if "s  " in line[:9])


def test_each_node_has_a_row_which_becomes_a_line_when_it_is_done() -> None:
    """Never both; in the end there are lines only, and the answer of the command."""
    terminal = ended("well")
    assert any(all(f"{name:<9} changes" in it for name in ("lb1", "web1", "web2")) for it in terminal.frames)
    assert any("lb1       configured" in it and "web1      changes" in it for it in terminal.frames)
    assert not any("lb1       configured" in it and "lb1       changes" in it for it in terminal.frames)
    *lines, answer = str(terminal.screen).splitlines()
    assert steps("\n".join(lines)) == [[name, DONE] for name in ("lb1", "web1", "web2")]
    assert answer == "all is done" and terminal.screen.cursor


@pytest.mark.parametrize("columns", [120, 80, 60, 24])
def test_no_row_is_wider_than_the_terminal(columns: int) -> None:
    """It is cut; how long the step takes is seen all the same."""
    terminal = ended("well", columns=columns)
    assert terminal.screen.wrapped == []
    rows = [line for it in terminal.frames for line in it.splitlines() if "web2 " in line and "s  " not in line[:9]]
    assert rows and all(len(row) < columns and row.endswith(" s") for row in rows)
    assert any("…" in row for row in rows)


def test_where_the_locale_has_no_utf_8_all_is_ascii() -> None:
    """Rows, marks of what is cut, and lines."""
    terminal = ended("well", env={"LC_ALL": "C"})
    assert terminal.written.isascii() and "..." in terminal.written and "\x1b[1A" in terminal.written


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"CI": "true"}, {"WEBLAB_PLAIN": "1"}], ids=str)
def test_where_lines_must_not_change_a_terminal_gets_plain_ones(setting: Mapping[str, str]) -> None:
    """The same as a pipe: no escape code, and each step once."""
    terminal = ended("well", env=setting)
    assert "\x1b" not in terminal.written
    assert len(steps(terminal.written)) == 6


def test_without_colours_rows_still_change_in_place() -> None:
    """NO_COLOR is about colours only."""
    written = ended("well", env={"NO_COLOR": "1"}).written
    assert "\x1b[1A" in written and "m" not in [it[-1:] for it in written.split("\x1b[")[1:] if it[:1].isdigit()]
    assert not any(code in written for code in ("\x1b[36m", "\x1b[2m", "\x1b[0m"))


def test_a_pipe_gets_a_line_for_each_step_and_no_control_characters() -> None:
    """Progress on stderr, the answer alone on stdout."""
    output, errors = piped("well")
    assert output == "all is done\n"
    assert all(letter.isprintable() or letter == "\n" for letter in errors)
    assert [name for name, text in steps(errors) if text == DONE] == ["lb1", "web1", "web2"]
    assert len(steps(errors)) == 6 and "nginx.conf" not in errors.replace("any-terminal.conf", "")


@pytest.mark.parametrize("shown", ["terminal", "pipe"])
def test_the_list_of_changes_is_asked_for(shown: str) -> None:
    """With --verbose it stands among the lines that stay."""
    text = str(ended("well", "--verbose").screen) if shown == "terminal" else piped("well", "--verbose")[1]
    assert [it for it in steps(text) if "file /etc" in it[1]] == [
        [name, "file /etc/nginx/nginx.conf"] for name in ("lb1", "web1", "web2")
    ]


def test_ctrl_c_leaves_a_clean_terminal_and_says_what_was_not_finished() -> None:
    """No row is left, the cursor is there, the exit code is 130."""
    with running(PROGRAM, "never") as terminal:
        terminal.until("lb1       configured")
        terminal.press(b"\x03")
        assert terminal.end() == 130
    screen = str(terminal.screen)
    last = screen.splitlines()[-1]
    assert terminal.screen.cursor and last.startswith(
        "interrupted; finished: lb1; not finished: web1 (changes 14 files"
    )
    assert "web2 (changes 14 files" in last and "web1 is running" in last
    assert [name for name, text in steps(screen) if text.startswith("not finished: changes 14 files")] == [
        "web1",
        "web2",
    ]
    assert not any(line.endswith(" s") and "s  " not in line[:9] for line in screen.splitlines()), "a row is left"


def test_an_error_is_printed_below_the_lines_when_the_rows_are_gone() -> None:
    """What the node wrote in colour can't change the terminal of the reader."""
    with running(PROGRAM, "an error") as terminal:
        assert terminal.end() == 1
    lines = str(terminal.screen).splitlines()
    assert lines[-3] == "web1: it does not work" and lines[-1] == "next: try again" and terminal.screen.cursor
    assert [name for name, text in steps("\n".join(lines)) if text == DONE] == ["lb1", "web2"]
    assert [name for name, text in steps("\n".join(lines)) if text.startswith("not finished")] == ["web1"]


def test_other_output_stands_above_the_rows() -> None:
    """Of a child, a print to stdout and one to stderr, each on a line of its own."""
    terminal = ended("other output")
    lines = str(terminal.screen).splitlines()
    assert {"an answer", "a warning of a library"} <= set(lines)
    assert [text for name, text in steps("\n".join(lines)) if name == "host"] == ["a child", "its error"]
    assert len(lines) == 8 and terminal.screen.wrapped == []


def test_a_command_that_is_killed_leaves_the_cursor() -> None:
    """So does one that is stopped by Ctrl-Z: nobody brings it back."""
    with running(PROGRAM, "never") as terminal:
        terminal.until("lb1       configured")
        assert terminal.screen.cursor
        os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.end()
    assert terminal.screen.cursor
