"""The report of a lab whose web servers and databases are different nodes."""

import json
import re
from pathlib import Path

from lab.analysis.judgement import Judgement
from tests.support.timelines import Picked, changed, quiet, spell
from tests.unit.report.test_report import EXPECT, WORDS, drawn

TIERS = {
    "lb1": ["nameserver", "balancer"],
    **{name: ["web"] for name in ("web1", "web2")},
    **{name: ["database"] for name in ("db1", "db2")},
}


def at_node(name: str) -> Picked:
    """Picks the entries of one node."""
    return lambda entry: entry.data.get("node") == name


def test_web_servers_and_databases_are_told_apart(tmp_path: Path) -> None:
    """Each has its lane, the loss of a database takes no server out, and the page says where the servers read."""
    run = quiet(30, **{**WORDS, "nodes": TIERS})
    for old, new in (("web1", "db1"), ("web2", "db2")):
        run = changed(run, at_node(old), node=new)
    run += spell([5, 5.5, 12, 16], node="db2")
    judgement, page = Judgement.of(run, EXPECT), drawn(tmp_path, run)
    assert "web1, web2 read from the databases of other nodes" in page.text
    assert {"db1", "db2"} <= set(re.findall(r"\bdb\d\b", json.dumps(page.figure)))
    assert [it.verdict for it in judgement.checks if it.name in ("failed-gets", "gtid-equal")] == ["pass", "pass"]
