"""Folders of comparisons whose rounds were not measured but made up."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from lab.analysis import comparison_folder, run_folder
from lab.analysis.compared_rounds import ROUND_S, Round, order
from tests.support import timelines

RATE = 10
Latency = Callable[[Random, str, str], float]  # of the draw, the setting and the server: seconds
IN_FORCE: dict[str, Any] = {
    **{"algorithm": "roundrobin", "mode": "active-active", "persistence": "none", "durability": "durable"},
    **{"weights": {}, "without": [], "load": {"rate": RATE, "write_share": 0.06}},
}
ABOUT: dict[str, Any] = {
    "name": "web2-slow",
    "title": "The replica's server answers late",
    "key": "k",
    "seed": 1,
    "staleness_s": 2,
    "commit": "c1268a9",
    "servers": ["web1", "web2"],
    "faults": [{"kind": "slow", "node": "web2", "delay_ms": 200}],
    "settings": {"a": IN_FORCE, "b": {**IN_FORCE, "algorithm": "leastconn"}},
    "a": {"label": "algorithm=roundrobin", "load": [RATE, 0.06]},
    "b": {"label": "algorithm=leastconn", "load": [RATE, 0.06]},
}


def alike(draw: Random, side: str, server: str) -> float:
    """The same for both settings."""
    return 0.02 * draw.lognormvariate(0, 0.5)


def avoids_web2(draw: Random, side: str, server: str) -> float:
    """A slow web2."""
    return alike(draw, side, server) + (0.4 if server == "web2" else 0)


def made(folder: Path, pairs: int, measured: int, latency: Latency, share_b: float = 0.5) -> Path:
    """A comparison of so many pairs, of which so many rounds are complete; `share_b`: of web2 in the rounds of b."""
    path = comparison_folder.make("web2-slow", {**ABOUT, "pairs": pairs}, folder)
    for number, (pair, side) in enumerate(order(pairs, 1)[:measured]):
        one = Round(pair, side, timelines.T0 + 100 * number, ROUND_S, 40.0)
        record(path, one, latency, share_b if side == "b" else 0.5)
        comparison_folder.append(path, one)
    return path


def record(path: Path, it: Round, latency: Latency, share: float = 0.5) -> None:
    """The requests of a round, as the load records them; two seconds of them were before it was measured."""
    folder = path / it.folder / run_folder.RECORD
    folder.mkdir(parents=True)
    draw = Random(f"{it.pair}{it.side}")
    lines = []
    for number in range(-2 * RATE, int(ROUND_S) * RATE):
        due = it.zero + number / RATE
        server = "web2" if draw.random() < share else "web1"
        took = latency(draw, it.side, server)
        times = {"intended": due, "sent": due, "ended": due + took, "served_by": server}
        method = "POST" if number % 16 == 0 else "GET"
        entry = timelines.request(0, method, **times, token=f"{it.pair}{it.side}{number}")
        lines.append(json.dumps({"at": due, "observer": "client", "kind": "request", **entry.data}))
    (folder / "requests-1.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
