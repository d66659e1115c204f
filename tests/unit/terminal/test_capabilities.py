"""What a stream can show, by its kind and by what the user wants."""

import io

import pytest

from lab.terminal import capabilities


class Tty(io.StringIO):
    """A terminal, but for its picture."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of today, and no wishes."""
    for name in ("CI", "NO_COLOR", capabilities.PLAIN, "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")


# what the environment says: whether colours are written, and whether lines change in place
CASES = {
    "": (True, True),
    "TERM=dumb": (False, False),
    "TERM=": (False, False),
    "NO_COLOR=0": (False, True),
    "NO_COLOR=": (True, True),
    "CI=true": (True, False),
    "CI=false": (True, True),
    "WEBLAB_PLAIN=1": (False, False),
    "WEBLAB_PLAIN=0": (True, True),
}


@pytest.mark.parametrize(("setting", "shown"), CASES.items(), ids=[name or "nothing set" for name in CASES])
def test_a_terminal_shows_what_it_can_and_the_user_wants(
    setting: str, shown: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://no-color.org: any value but the empty one means no colours."""
    name, _, value = setting.partition("=")
    if name:
        monkeypatch.setenv(name, value)
    assert (capabilities.colour(Tty()), capabilities.live(Tty())) == shown


def test_a_file_or_pipe_shows_text_only() -> None:
    """Whatever the terminal beside it can."""
    assert (capabilities.colour(io.StringIO()), capabilities.live(io.StringIO())) == (False, False)


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({}, True),
        ({"LC_ALL": "C"}, False),
        ({"LC_CTYPE": "POSIX"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "C.utf8"}, True),
        ({"LANG": ""}, False),
    ],
    ids=str,
)
def test_the_first_variable_of_the_locale_that_is_set_decides_on_letters(
    variables: dict[str, str], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own encoding is UTF-8 in the locale C too."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert capabilities.unicode(Tty()) is shown
