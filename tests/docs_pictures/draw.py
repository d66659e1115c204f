"""Draw the pictures of README and docs/ anew, from saved runs: `make pictures ARGS="--report RUN --crowd RUN"`.

lab.svg is drawn from lab.yml, always. The others need Chromium, and each what it shows: a run for report.png (one that
fails a server and promotes tells most) and for crowd.png (of the experiment `crowd`), a comparison for compare.png, the
page that Locust wrote for spike.png (`locust -f loadtests/spike.py --headless --html spike.html`), and the running lab
for page.png. Look at each afterwards.
"""

import argparse
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from lab import topology
from lab.analysis import run_folder
from lab.analysis.compared import Compared
from lab.analysis.judgement import Judgement
from lab.errors import BadInput, LabError
from lab.picture import DOCS, draw
from lab.report import comparison_page
from lab.report.page import page
from tests.docs_pictures.browser import shoot

REPORT = (
    "What was done",
    "What brought the lab back",
    "Reads per second",
    "Writes per second",
    "What HAProxy said of its servers",
    "What the databases were",
)
CROWD = ("What was done", "The crowd, per second", "Reads per second", "Writes per second", "How long reads took")
PLOTS_ONLY = "main > section:not(.plots), footer, .note, .screen { display: none; } body { padding-bottom: 0; }"
NO_TEXT = f"{PLOTS_ONLY} header, .hint {{ display: none; }} body {{ padding: 0.5rem; }}"
CHARTS_ONLY = "body :not(:has(canvas), canvas) { display: none !important; }"
ASKS_S = 10.0
COMPARED = "footer, .note, .story li:nth-child(n+3) { display: none; } body { padding-bottom: 0; }"
SIX_NOTES = "article:nth-of-type(n+7) { display: none; }"


def report(run: str, to: Path) -> None:
    """report.png: verdict, story and plots of a run."""
    shoot(_page(run, REPORT), to / "report.png", 1200, PLOTS_ONLY)


def crowd(run: str, to: Path) -> None:
    """crowd.png: the plots of a run of the experiment `crowd`, down to the times of reads."""
    shoot(_page(run, CROWD), to / "crowd.png", 1000, NO_TEXT)


def compare(path: str, to: Path) -> None:
    """compare.png: verdict, table and plots of a comparison."""
    shoot(comparison_page.page(Compared.read(Path(path)), Path(path).name), to / "compare.png", 1200, COMPARED)


def spike(path: str, to: Path) -> None:
    """spike.png: the charts of the page that Locust wrote."""
    try:
        html = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        hint = "make it: locust -f loadtests/spike.py --headless --html spike.html"
        raise BadInput(f"{path} can't be read", evidence=str(error), hint=hint) from error
    shoot(html, to / "spike.png", 1300, CHARTS_ONLY)


def site(url: str, to: Path) -> None:
    """page.png: the page of the site."""
    try:
        with urllib.request.urlopen(url, timeout=ASKS_S) as answer:
            html = answer.read().decode()
    except (OSError, ValueError) as error:
        raise BadInput(f"{url} does not answer", evidence=str(error), hint="invoke lab.up") from error
    shoot(html.replace("<head>", f'<head><base href="{url}">', 1), to / "page.png", 1100, SIX_NOTES)


def lab(to: Path) -> None:
    """lab.svg: the lab of lab.yml."""
    (to / "lab.svg").write_text(draw(topology.load(topology.ROOT / "lab.yml")), encoding="utf-8")


def _page(run: str, titles: Sequence[str]) -> str:
    folder = run_folder.find(run)
    return page(Judgement.of(run_folder.read_all(folder)), folder.name, titles)


PICTURES = {
    "report": (report, "RUN", "report.png: of this run, 'latest' is one too"),
    "crowd": (crowd, "RUN", "crowd.png: of this run of the experiment crowd"),
    "compare": (compare, "FOLDER", "compare.png: of this comparison, runs/...-compare-web2-slow"),
    "spike": (spike, "FILE", "spike.png: of this page of Locust"),
    "page": (site, "URL", "page.png: of this site, http://192.168.56.10/"),
}


def main(words: Sequence[str]) -> int:
    """Draw what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.docs_pictures.draw", description=__doc__)
    for name, (_, what, help_) in PICTURES.items():
        parser.add_argument(f"--{name}", metavar=what, default="", help=help_)
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=DOCS, help="instead of docs/")
    chosen = parser.parse_args(words)
    try:
        lab(chosen.to)
        wanted = {name: source for name in PICTURES if (source := getattr(chosen, name))}
        for name, source in wanted.items():
            PICTURES[name][0](source, chosen.to)
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    drawn = ", ".join(["lab.svg", *(f"{name}.png" for name in wanted)])
    sys.stdout.write(f"drawn: {drawn}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
