"""Load on the real lab, started as in the README."""

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lab.nodes import facts
from lab.nodes.ssh import Machine
from lab.topology import ROOT, Lab

pytestmark = pytest.mark.live
LOCUST = str(Path(sys.executable).with_name("locust"))


def answered(machines: dict[str, Machine]) -> Counter[str]:
    """How many requests the balancer has sent to each server so far."""
    found: Counter[str] = Counter()
    for row in csv.DictReader(machines["lb1"].run(facts.BALANCER).stdout.lstrip("# ").splitlines()):
        found[row["svname"]] += int(row["stot"] or 0)
    return found


def test_twenty_seconds_of_load_without_a_failure(healthy: Lab, machines: dict[str, Machine], tmp_path: Path) -> None:
    """Ten users: no request fails, both servers serve, and the files that the options name are written."""
    before = answered(machines)
    report = tmp_path / "report.html"
    words = ("-u", "10", "-r", "5", "-t", "20s", "--html", str(report), "--csv", str(tmp_path / "figures"))
    done = subprocess.run(
        [LOCUST, "-f", "loadtests/site.py", "--headless", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    after = answered(machines)
    assert all(after[name] - before[name] >= 10 for name in ("web1", "web2")), (before, after)
    with (tmp_path / "figures_stats.csv").open(newline="", encoding="utf-8") as file:
        rows = {(row["Type"], row["Name"]): row for row in csv.DictReader(file)}
    assert {("GET", "/"), ("GET", "/api/notes"), ("GET", "/api/notes/TOKEN"), ("POST", "/api/notes")} <= set(rows)
    assert int(rows["", "Aggregated"]["Request Count"]) >= 40 and rows["", "Aggregated"]["Failure Count"] == "0"
    page = report.read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>") and "/api/notes/TOKEN" in page
