"""A page as a picture, by Chromium without a window: as high as what it shows, so that nobody crops it."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from lab import process
from lab.errors import BadInput, InfrastructureBroken

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HINT = "install it, on Debian: apt install chromium; on Ubuntu: snap install chromium"
LOADS_MS, RUNS_S = 8000, 300.0
FILES = "--allow-file-access-from-files"  # else no page may look into its frame
# In a frame of the wanted width: a window of Chromium is never narrower than 500 pixels.
FRAME = """<!doctype html><body style="margin: 0">
<iframe src="page.html" style="width: {width}px; height: 99px; border: 0"></iframe>
<script>addEventListener("load", () => setTimeout(() => {{
  const page = document.querySelector("iframe").contentDocument;
  document.body.dataset.width = page.documentElement.scrollWidth;
  document.body.dataset.height = Math.ceil(page.body.getBoundingClientRect().bottom);
}}, 3000));</script>"""


def find() -> str:
    """The program; raises BadInput with what to install."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise BadInput("Chromium is not there", evidence=f"none of these is in PATH: {', '.join(NAMES)}", hint=HINT)
    return found


def shoot(html: str, picture: Path, width: int, style: str = "") -> None:
    """Draw a page, with more style where some is given; raises InfrastructureBroken where no picture comes of it."""
    program, page = find(), f"{html}\n<style>{style}</style>"
    height = measured(page, width)["height"]
    with tempfile.TemporaryDirectory() as folder:
        path, made = Path(folder, "page.html"), Path(folder, "picture.png")
        path.write_text(page, encoding="utf-8")
        window = [f"--window-size={width},{height}", f"--screenshot={made}"]
        said = _run([program, *_options(Path(folder)), *window, path.as_uri()])
        if not made.exists():
            raise InfrastructureBroken("Chromium made no picture", evidence=said[-500:])
        shutil.copyfile(made, picture)


def measured(html: str, width: int) -> dict[str, int]:
    """Width and height of what a page shows on a screen of that width."""
    program = find()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "page.html").write_text(html, encoding="utf-8")
        frame = Path(folder, "frame.html")
        frame.write_text(FRAME.format(width=width), encoding="utf-8")
        seen = _run([program, *_options(Path(folder)), FILES, "--dump-dom", frame.as_uri()])
        found = dict(re.findall(r'data-(width|height)="(\d+)"', seen))
        if len(found) < 2:
            raise InfrastructureBroken("the page could not be measured", evidence=seen[-500:])
        return {name: int(number) for name, number in found.items()}


def _options(folder: Path) -> list[str]:
    profile = folder / "profile"
    options = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run", f"--user-data-dir={profile}"]
    options += ["--disable-background-networking", f"--virtual-time-budget={LOADS_MS}", "--lang=en-US"]
    return [*options, *(["--no-sandbox"] if os.geteuid() == 0 else [])]  # it refuses to be root in its sandbox


def _run(words: list[str]) -> str:
    return process.run(words, timeout=RUNS_S).output
