"""docs/matrix.md: a table that says no more than its results do."""

import os
from typing import Any

import pytest

from commands.experiment_matrix import TABLE
from lab import topology
from lab.analysis import matrix_results
from lab.plan import experiment_file
from lab.plan.experiment_file import Plan
from lab.report.check_rows import NAMES
from lab.report.matrix import table
from tests.support import stories
from tests.support.matrix_doubles import result
from tests.support.report_page import facts

LAB = topology.load()


def shipped(*names: str) -> list[Plan]:
    """Plans of experiments."""
    return [experiment_file.find(name, LAB) for name in names]


PLANS = shipped("control", "web1-freeze")


def line(text: str, start: str) -> str:
    """The line of a table with that beginning."""
    return next(it for it in text.splitlines() if it.startswith(start))


def test_the_table_in_docs_is_the_one_of_the_results() -> None:
    """A new result or experiment must show here; `invoke experiment.table` or UPDATE_GOLDEN=1 writes it again."""
    made = table(stories.shipped(LAB), matrix_results.load())
    if os.environ.get("UPDATE_GOLDEN") == "1":
        TABLE.write_text(made, encoding="utf-8")
    assert made == TABLE.read_text(encoding="utf-8"), "write it anew: invoke experiment.table"


def test_what_was_not_run_says_so() -> None:
    """No row is left out."""
    text = table(PLANS, [])
    assert line(text, "| control") == "| control | not run yet | - | - | - | - | - | - | - |"
    assert facts(line(text, "2 rows")) == "2 0 0 0"


def test_a_row_shows_the_two_latest_and_whether_they_agree() -> None:
    """Newest first; the numbers are of the newest with as many rounds; every result is counted."""
    text = table(PLANS, [result("inconclusive"), result("fail", why=["failed-gets fail: 2"]), result()])
    assert line(text, "| web1-freeze") == (
        "| web1-freeze | ✓ pass | ✗ fail | **no** | 10 | 0 of 400 (< 26 %) | 2 of 9000 | "
        "2.50, 4.00 s (at most 6.75) | 0, 0, ? |"
    )
    assert facts(line(text, "2 rows")) == "2 1 0 0 1 1 1"
    assert line(text, "| web1-freeze | 2026") == (
        "| web1-freeze | 2026-11-30 03:00 | ✓ pass | c1268a9 | 10, 1 | 2 cpus, emulated | haproxy 3.0.11 | - |"
    )
    assert text.endswith("| haproxy 3.0.11 | failed-gets fail: 2 |\n")
    assert "| yes | 10 |" in table(PLANS, [result(), result()])


def test_of_two_results_the_one_with_more_rounds_has_the_numbers() -> None:
    """Neither a shorter run that agrees nor an error, which has none, hides what ten rounds proved."""
    window = {"requests": 120, "failed": 0, "injections": 3, "injections_hit": 0, "share_below": 0.631597}
    fewer = result(rounds=3, reads={**result()["reads"], "window": window})
    assert "| yes | 10 | 0 of 400 (< 26 %) |" in table(PLANS, [result(), fewer])
    error = {key: it for key, it in result("error", rounds=12).items() if key != "reads"}
    assert "| **no** | 3 | 0 of 120 (< 63 %) |" in table(PLANS, [fewer, error])


def test_what_older_rules_decided_is_told_from_what_these_did() -> None:
    """Its numbers give way to those of today's rules, also where these had fewer rounds."""
    old, new = result(date="2026-11-29 16:08"), result(date="2026-11-29 16:09", rounds=3)
    text = table(PLANS, [old, new])
    assert line(text, "| web1-freeze").startswith("| web1-freeze | ✓ pass | ✓ pass, old | yes | 3 |")
    assert facts(line(text, "2 rows")).startswith("2 1 0")
    assert facts(line(table(PLANS, [old]), "2 rows")).startswith("2 1 1")


@pytest.mark.parametrize(("rounds", "faults", "share"), [(10, 20, " (< 26 %)"), (0, 3, " (< 95 %)"), (0, 0, "")])
def test_an_older_result_counts_its_rounds(rounds: int, faults: int, share: str) -> None:
    """Its bound counts reads, which is wrong: a fault hits all of them or none."""
    counted = {"requests": 400, "failed": 0, "share_below": 0.0075}
    older: dict[str, Any] = {"reads": {"window": counted, "whole": counted}, "rounds": rounds}
    text = table(PLANS, [result(**older, detection={**result()["detection"], "injections": faults})])
    assert f"| 0 of 400{share} | 0 of 400{share} |" in text


def test_an_error_has_no_numbers() -> None:
    """And no cell breaks the table."""
    short = {key: it for key, it in result("error", why=["a | b"]).items() if key not in ("reads", "versions")}
    text = table(PLANS, [short])
    assert line(text, "| web1-freeze") == "| web1-freeze | ! error | - | - | 10 | - | - | - | - |"
    assert text.endswith("| 2 cpus, emulated | - | a / b |\n")


def test_what_was_never_noticed_has_no_time() -> None:
    """A fault that was noticed only sometimes shows how often it was not."""
    seen = result()["detection"]
    never, once = {**seen, "seen": 0, "missed": 0}, {**seen, "missed": 1, "allowed_s": None}
    none = {"requests": 0, "failed": 0, "injections": 0, "injections_hit": 0, "share_below": None}
    reads = {"window": none, "whole": none}
    assert "| 10 | - | - | - | 0, 0, ? |" in table(PLANS, [result(detection=never, reads=reads)])
    assert "| 2.50, 4.00 s; not seen 1 times |" in table(PLANS, [result(detection=once)])


def table_row(*writes: dict[str, Any]) -> str:
    """The sums of as many promotions under load."""
    ran = [result(name=PROMOTES, seed=seed, writes={**NONE_LOST, **it}) for seed, it in enumerate(writes, 1)]
    return sums(table(shipped(PROMOTES), ran), PROMOTES)


def sums(text: str, name: str) -> str:
    """The line of the second or the third table; '' if there is none."""
    parts = text.split("\n## ")[1:3]
    return next((it for part in parts for it in part.splitlines() if it.startswith(f"| {name} |")), "")


PROMOTES = "web1-power-off-promote"
NONE_LOST = {"acknowledged": 100, "lost": 0, "duplicated": 0, "unexpected": 0, "unknown": 2}


def test_writes_are_summed_over_all_results() -> None:
    """0 of n runs with a loss proves a bound; if one lost a write there is none."""
    assert table_row({}, {"acknowledged": 200}) == f"| {PROMOTES} | 2 | 2 | 300 | 0 (< 78 %) | 0 | 0 | 4 | 0 |"
    assert "| 200 | 3 | 1 | 0 |" in table_row({"lost": 3}, {"duplicated": 1})


def test_writes_of_other_code_and_of_inconclusive_runs_count_too() -> None:
    """A new commit discards no history; a seed that was drawn twice counts once."""
    ran = [result(name=PROMOTES, writes=NONE_LOST), result("inconclusive", name=PROMOTES, writes=NONE_LOST)]
    text = table(shipped(PROMOTES), [{**ran[0], "fingerprint": "older"}, ran[1]])
    assert sums(text, PROMOTES) == f"| {PROMOTES} | 2 | 1 | 200 | 0 (< 78 %) | 0 | 0 | 4 | 1 |"


def test_a_run_that_could_not_tell_proves_nothing() -> None:
    """Its writes prove no bound; without acknowledged writes nothing can be lost."""
    assert "| 200 | 0 and 1 x ? (< 95 %) | 0 |" in table_row({}, {"lost": None})
    assert "| 100 | ? | 0 |" in table_row({"lost": None})
    assert "| 100 | 0 (< 95 %) | 0 |" in table_row({}, {"acknowledged": 0, "lost": None})
    assert "| 3 | 0 (< 95 %) | 0 |" in table_row({"acknowledged": 3})


def test_an_error_that_never_began_has_no_writes() -> None:
    """It is no run, but the first table counts it."""
    never = {key: it for key, it in result("error", name=PROMOTES).items() if key not in ("reads", "writes")}
    text = table(shipped(PROMOTES), [never, result("inconclusive", name=PROMOTES)])
    assert sums(text, PROMOTES).startswith(f"| {PROMOTES} | 1 | 1 | 1 |")
    assert facts(line(text, "1 of 2 results")) == "1 2 1"
    assert sums(table(shipped(PROMOTES), [never]), PROMOTES) == ""


def test_without_a_promotion_two_results_are_summed() -> None:
    """A single one is only in the first table."""
    assert sums(table(PLANS, [result()]), "web1-freeze") == ""
    assert sums(table(PLANS, [result(), result()]), "web1-freeze").startswith("| web1-freeze | 2 | 1 | 2 | 0 (")


@pytest.mark.parametrize(
    ("name", "gone", "found"),
    [
        ("control-without-retries", "retries", "failed-gets"),
        ("unique-key-holds", "write-safety", "balancer-retries"),
        ("async-behind-a-cut", "durability async", "lost-writes"),
        ("lb1-power-off", "-", "failed-gets"),
    ],
)
def test_a_control_says_what_is_gone_and_what_must_be_found(name: str, gone: str, found: str) -> None:
    """Whether a protection is removed, the replica is not waited for, or more is broken."""
    assert sums(table(shipped(name), []), name) == f"| {name} | {gone} | {NAMES[found]}: at least 1 | not run yet |"
    assert sums(table(PLANS, []), "web1-freeze") == ""


def test_a_control_says_how_often_it_found_it() -> None:
    """A run that proves nothing does not count as a miss."""
    ran = [result(it, name="lb1-power-off") for it in ("pass", "fail", "pass", "inconclusive", "error")]
    assert "| 2 of 3 runs, 1 inconclusive, 1 error |" in table(shipped("lb1-power-off"), ran)
    assert "| 0 of 0 runs, 1 error |" in table(shipped("lb1-power-off"), ran[-1:])
