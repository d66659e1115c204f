"""Commands of a page run in one shell; what differs from the page is told, and nothing is left running."""

from pathlib import Path

import pytest

from lab.wait import until
from tests.support.alive import pids_with
from tests.support.pages.page import Page
from tests.support.pages.session import Done, run

QUICK_S = 20.0


def played(text: str, folder: Path, timeout: float = QUICK_S) -> list[Done]:
    """What became of the commands of a page."""
    return run(Page(folder, f"```console\n{text}\n```\n").commands, folder, timeout)


def test_a_page_that_says_what_happens_is_right(tmp_path: Path) -> None:
    """A variable lives on, a program that reads the keyboard takes nothing away, errors are part of the answer."""
    text = "$ NAME=web1\n$ cat\n$ echo $NAME took 12 s\nweb1 took 3 s\n$ echo no >&2\nno"
    assert [it.trouble for it in played(text, tmp_path)] == ["", "", "", ""]


def test_a_wrong_output_is_trouble(tmp_path: Path) -> None:
    """Named with its command, and with the difference."""
    (done,) = played("$ echo web2 DOWN\nweb2 UP", tmp_path)
    assert "$ echo web2 DOWN" in done.trouble and "-web2 UP" in done.trouble and "+web2 DOWN" in done.trouble


def test_nothing_is_typed_after_a_failure(tmp_path: Path) -> None:
    """The rest of the page would meet another lab than it supposes."""
    ended, after = played(f"$ false\n$ touch {tmp_path}/typed", tmp_path)
    assert "ended with 1, not with 0" in ended.trouble and "was not begun" in after.trouble
    assert not (tmp_path / "typed").exists()


def test_a_failure_that_the_page_shows_is_none(tmp_path: Path) -> None:
    """Its exit code stands in the block's first line."""
    commands = Page(tmp_path, "```console exit=3\n$ true\n$ (exit 3)\n```\n").commands
    assert [it.trouble for it in run(commands, tmp_path, QUICK_S)] == ["", ""]


def test_a_command_that_never_ends_is_ended(tmp_path: Path) -> None:
    """With all that it started."""
    name = f"sleeper-of-{tmp_path}"
    (done,) = played(f"$ (exec -a {name} sleep 60) & (exec -a {name} sleep 60)", tmp_path, timeout=0.5)
    assert "was not begun or did not end" in done.trouble
    until("all have ended", lambda: not pids_with(name), QUICK_S)


def test_no_proxy_of_this_machine_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab is not behind it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    (done,) = played("$ env | grep -ci _proxy=; true\n0", tmp_path)
    assert done.trouble == ""
