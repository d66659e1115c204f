"""The command that draws the pictures of README and docs/: what they show, and what it says without a browser."""

import re
import struct
from pathlib import Path

import pytest

from lab.analysis import timeline
from lab.analysis.compared import Compared
from lab.analysis.judgement import Judgement
from lab.errors import BadInput, LabError
from lab.picture import PICTURE
from lab.report import comparison_page
from lab.report.page import page
from tests.docs_pictures import browser, draw
from tests.support.comparisons import avoids_web2, made
from tests.support.crowds import LOAD, crowd
from tests.support.report_page import Page
from tests.support.timelines import changed, kind, switched_off

FAKE = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
for word; do
  case "$word" in
    --screenshot=*) printf picture > "${{word#*=}}" ;;
    file://*/page.html) cp "${{word#file://}}" {shown} ;;
  esac
done
printf '<body data-width="9" data-height="1234">'
"""


def is_there() -> bool:
    """Whether this machine has Chromium."""
    try:
        return bool(browser.find())
    except BadInput:
        return False


needs_browser = pytest.mark.skipif(not is_there(), reason=f"Chromium is not there; {browser.HINT}")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A saved run with a crowd."""
    entries = changed(crowd(), kind("run"), load={**LOAD, "write_share": 0.2}, title="A crowd")
    folder = tmp_path / "20261125T220000Z-crowd"
    folder.mkdir()
    timeline.append(folder / "timeline.jsonl", entries)
    return folder


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the log of a browser that draws nothing, and the last page that it was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "chromium"
    program.write_text(FAKE.format(log=folder / "log", shown=folder / "shown.html"), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def drawn(to: Path, *words: str) -> int:
    """The exit code of the command."""
    return draw.main([*words, "--to", str(to)])


def test_the_picture_of_the_lab_needs_no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn each time, as it is in docs/."""
    monkeypatch.setenv("PATH", "")
    assert drawn(tmp_path) == 0
    assert (tmp_path / "lab.svg").read_text(encoding="utf-8") == PICTURE.read_text(encoding="utf-8")


def test_without_a_browser_it_says_what_to_install(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves the picture as it is."""
    monkeypatch.setenv("PATH", "")
    assert drawn(tmp_path, "--report", str(run)) == BadInput.exit_code
    assert "apt install chromium" in capsys.readouterr().err
    assert not (tmp_path / "report.png").exists()


def test_a_picture_is_as_high_as_its_page(tmp_path: Path, run: Path, fake: Path) -> None:
    """Measured first, then drawn: nobody crops it."""
    assert drawn(tmp_path, "--crowd", str(run)) == 0
    measured, shot = (fake / "log").read_text(encoding="utf-8").splitlines()
    assert "--dump-dom" in measured and "--window-size=1000,1234" in shot
    assert (tmp_path / "crowd.png").read_text(encoding="utf-8") == "picture"


def test_the_picture_of_a_crowd_has_its_plots_alone(tmp_path: Path, run: Path, fake: Path) -> None:
    """From what was done to the times of reads."""
    drawn(tmp_path, "--crowd", str(run))
    shown = (fake / "shown.html").read_text(encoding="utf-8")
    assert Page(shown).titles == list(draw.CROWD)
    assert "header" in re.findall(r"<style>([^<]*)</style>", shown)[-1]


def test_the_picture_of_a_comparison_has_its_verdict_and_plots(tmp_path: Path, fake: Path) -> None:
    """Not how it was made."""
    assert drawn(tmp_path, "--compare", str(made(tmp_path / "runs", 9, 18, avoids_web2, share_b=0.2))) == 0
    shown = (fake / "shown.html").read_text(encoding="utf-8")
    assert "differs" in shown and len(Page(shown).titles) == 4
    assert "footer" in re.findall(r"<style>([^<]*)</style>", shown)[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--report", "none"), "there is no run 'none'"),
        (("--compare", "none"), "experiment.compare"),
        (("--spike", "none.html"), "locust -f loadtests/spike.py"),
        (("--page", "http://127.0.0.1:9/"), "invoke lab.up"),
    ],
    ids=["no run", "no comparison", "no page of Locust", "no site"],
)
def test_what_is_missing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str], message: str
) -> None:
    """With how to make it."""
    assert drawn(tmp_path, *words) == BadInput.exit_code
    assert message in capsys.readouterr().err


def test_a_browser_that_draws_nothing_is_an_error(tmp_path: Path, run: Path, fake: Path) -> None:
    """No old picture passes for a new one."""
    program = fake / "chromium"
    program.write_text('#!/bin/sh\nprintf \'<body data-width="9" data-height="9">\'\n', encoding="utf-8")
    with pytest.raises(LabError, match="no picture"):
        browser.shoot("<p>hello", tmp_path / "it.png", 300)


@pytest.mark.slow
@needs_browser
def test_a_report_becomes_a_picture(tmp_path: Path, run: Path) -> None:
    """As wide as asked, and high enough for all of its plots."""
    assert drawn(tmp_path, "--report", str(run)) == 0
    width, height = struct.unpack(">II", (tmp_path / "report.png").read_bytes()[16:24])
    assert width == 1200 and height > 1000


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("width", [420, 1200])
def test_a_page_is_no_wider_than_its_screen(tmp_path: Path, width: int) -> None:
    """Nothing has to be scrolled sideways, but for tables within themselves."""
    compared = Compared.read(made(tmp_path, 9, 18, avoids_web2))
    lost = page(Judgement.of(switched_off(title="web1 is lost"), []), "lost")
    for html in (lost, comparison_page.page(compared, "compared")):
        assert browser.measured(html, width)["width"] <= width
