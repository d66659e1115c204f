"""Runs of experiment.scale by hand: the load rises from 10 s on, and the servers answer no more than they can."""

from collections.abc import Sequence
from typing import Any

from lab.analysis.timeline import Entry
from lab.plan.scale import QUIET, SHARES, STEP_S
from tests.support.timelines import T0, failed, lab, request, run, spell

BEGINS, PAGES = 10.0, 6
RATES = [PAGES * share for share in SHARES]
ENDS = BEGINS + STEP_S * len(RATES)


def story(limited: float = 3.0, drained: float = 5.0, code: int = 0) -> list[Entry]:
    """One server that answers six a second: in 0.1 s, in 1.6 s when more come; web2 is drained."""
    rates = [{"at": BEGINS + STEP_S * number, "rate": rate} for number, rate in enumerate(RATES)]
    load = {"rate": QUIET, "write_share": 0, "rates": [*rates, {"at": ENDS, "rate": QUIET}]}
    return [
        run(load=load),
        lab(0, "phase", name="measure"),
        *(entry for number, rate in enumerate(RATES) for entry in _step(BEGINS + STEP_S * number, rate)),
        *spell([0, limited, ENDS + 2, ENDS + 3], "web1", "php-limit"),
        lab(drained, "command", words="lb.drain web2", began=T0, exit_code=code, output=""),
        lab(ENDS + 1, "phase", name="settle"),
        lab(ENDS + 4, "generator", cpu=0.1, cpu_peak=0.2),
        lab(ENDS + 5, "end", complete=True, why=""),
    ]


def _step(begins: float, rate: float) -> list[Entry]:
    dues = [begins + number / rate for number in range(round(rate * STEP_S))]
    took = 1.6 if rate >= PAGES else 0.1
    return [_request(due, took, answered=number % rate < PAGES) for number, due in enumerate(dues)]


def _request(due: float, took: float, answered: bool) -> Entry:
    ended = T0 + due + took
    return request(due, ended=ended) if answered else failed(due, ended=ended)


def measured(count: int, steps: Sequence[tuple[float, float, float | None]] = ((4, 4, 0.1), (9, 6, 1.6))) -> Any:
    """A saved result of so many servers; each step is what was sent and answered a second for each server, and p95."""
    return {
        "name": f"scale-{count}",
        "verdict": "measured",
        "fingerprint": "f",
        "servers": [f"web{number + 1}" for number in range(count)],
        "pages_per_s": PAGES,
        "algorithm": "roundrobin",
        "steps": [_saved(count * sent, count * answered, p95) for sent, answered, p95 in steps],
        "note": "",
        "host": {"cpus": 2, "accelerator": "emulated"},
        "date": "2026-12-01 10:00",
        "commit": "c1268a9",
        "run": f"20261201T100000Z-scale-{count}",
        "took_s": 200,
    }


def _saved(sent: float, answered: float, p95: float | None) -> dict[str, Any]:
    counts = {"due": round(14 * sent), "answered": round(14 * answered)}
    return {"sent_per_s": sent, **counts, "answered_per_s": float(answered), "p95_s": p95}
