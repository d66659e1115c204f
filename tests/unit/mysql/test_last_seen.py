"""The records of the primary last seen, and of a durability that a promotion lowered."""

import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from invoke.context import Context

from commands import db
from lab.mysql import gtid, last_seen
from lab.mysql.last_seen import Seen
from lab.mysql.server_state import Database
from lab.nodes import lifecycle, site, vm_power
from lab.nodes.facts import NodeFacts
from lab.operations import status
from tests.support.pairs import APART, CLOSED, LAB, OPEN, PROMOTED, REPLICA, U1

NOW = time.time()
RUNNING = {node.name: "running" for node in LAB.nodes}


def known() -> str:
    """The primary on record; '' if there is none."""
    seen = last_seen.recall()
    return seen.node if seen else ""


def recalled() -> Seen:
    """The record, which must exist."""
    seen = last_seen.recall()
    assert seen is not None
    return seen


def test_the_primary_is_remembered_as_it_was_seen() -> None:
    """Its transactions, whether commits waited for the replica, and when it was asked."""
    last_seen.remember(NOW - 30, [OPEN, REPLICA])
    seen = last_seen.recall()
    known = OPEN.gtid_executed, True, "durable"
    replica = Seen(NOW - 30, "web1", *known, replica_start=REPLICA.start, replica_received=REPLICA.received)
    assert seen == replica
    assert seen.describe(seen.at + 34) == "web1 was primary 34 s ago: durability durable, semi-sync ON"


YOUNG = replace(REPLICA, start="b007 200", age_s=2, receiving=False)


@pytest.mark.parametrize(
    ("later", "start"),
    [
        (YOUNG, REPLICA.start),
        (None, REPLICA.start),
        (replace(YOUNG, receiving=True), REPLICA.start),
        (replace(YOUNG, receiving=True, age_s=24), YOUNG.start),
        (replace(YOUNG, age_s=24), REPLICA.start),
        (replace(YOUNG, age_s=40), YOUNG.start),
    ],
    ids=["just started", "silent", "started after the question", "receives again", "not yet settled", "settled"],
)
def test_the_replicas_process_is_remembered_once_all_confirmations_are_its_own(
    later: Database | None, start: str
) -> None:
    """A confirmation of transactions that the previous process discarded may arrive after the query."""
    now = time.time()
    last_seen.remember(now - 30, [OPEN, REPLICA])
    last_seen.remember(now - 20, [OPEN, later])
    seen = last_seen.recall()
    assert seen and (seen.at, seen.replica_start) == (now - 20, start)


def test_another_primary_has_another_replica() -> None:
    """The process of the old primary's replica says nothing about it."""
    last_seen.remember(NOW - 30, [OPEN, REPLICA])
    last_seen.remember(NOW - 20, [PROMOTED, None])
    seen = last_seen.recall()
    assert seen and seen.replica_start == ""


def test_what_is_known_stays_while_nobody_is_primary() -> None:
    """A primary that is gone, closed, or one of two says nothing new."""
    last_seen.remember(NOW - 2, [OPEN, REPLICA])
    before = last_seen.recall()
    for asked in ([None, REPLICA], [CLOSED, REPLICA], [OPEN, replace(APART, writable=True)]):
        last_seen.remember(NOW - 1, asked)
        assert last_seen.recall() == before


def test_an_answer_to_an_earlier_question_replaces_nothing() -> None:
    """However late it is written down."""
    last_seen.remember(NOW - 1, [PROMOTED])
    last_seen.remember(NOW - 2, [OPEN, REPLICA])
    assert known() == "web2"


def test_of_two_that_write_at_once_the_later_question_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other thread writes between comparing and writing: here the newer answer comes just then."""
    write = last_seen._write
    newer = threading.Thread(target=last_seen.remember, args=(NOW - 1, [PROMOTED]))

    def slowly(path: Any, data: Any) -> None:
        if data["node"] == "web1":
            newer.start()
            newer.join(0.3)
        write(path, data)

    monkeypatch.setattr(last_seen, "_write", slowly)
    last_seen.remember(NOW - 2, [OPEN])
    newer.join()
    assert known() == "web2"


def test_a_clock_that_jumped_back_leaves_nothing_to_believe() -> None:
    """A time in the future counts as unknown, is replaced by the next answer, and is never written."""
    last_seen._write(last_seen.SEEN, {**vars(Seen(NOW + 3600, "web1", "", True, "durable"))})
    assert known() == ""
    last_seen.remember(NOW - 1, [PROMOTED])
    assert known() == "web2"
    last_seen.remember(NOW + 3600, [OPEN])
    assert known() == "web2"


@pytest.mark.parametrize("end", [last_seen.forget, last_seen.outdate])
def test_what_was_asked_before_the_end_of_all_that_is_not_remembered_after_it(end: Any) -> None:
    """A status that ran while the lab was restored or the durability was lowered."""
    last_seen.remember(NOW - 2, [OPEN])
    end()
    assert known() == ""
    last_seen.remember(NOW - 1, [OPEN])
    assert known() == ""
    last_seen.remember(time.time(), [OPEN])
    assert known() == "web1"


def test_a_promotion_that_was_begun_is_known_until_its_end_was_seen() -> None:
    """Whatever is observed of the old primary meanwhile: the promotion may open its candidate at any moment."""
    last_seen.remember(NOW - 1, [OPEN])
    last_seen.opening("web2", "")
    last_seen.settled()
    assert recalled().opening == "web2", "nothing was seen since"
    last_seen.remember(time.time(), [OPEN])
    assert recalled().opening == "web2"
    last_seen.remember(time.time(), [PROMOTED])
    assert recalled().opening == ""
    last_seen.settled()
    last_seen.remember(time.time(), [OPEN])
    assert recalled().opening == ""


def test_what_a_candidate_had_is_known_until_its_end_was_seen() -> None:
    """It may lose some of that before it is asked again; later answers add to the record."""
    last_seen.remember(NOW - 1, [OPEN])
    last_seen.opening("web2", f"{U1}:1-52")
    last_seen.opening("web2", f"{U1}:1-50:53")
    assert gtid.minus(f"{U1}:1-53", recalled().had) == {}
    last_seen.remember(time.time(), [PROMOTED])
    assert recalled().had == ""


def test_what_a_candidate_had_before_the_primary_was_seen_again_is_not_missed() -> None:
    """The primary's own answer is newer."""
    last_seen.opening("web2", f"{U1}:1-52")
    last_seen.remember(time.time(), [OPEN])
    last_seen.opening("web2", f"{U1}:1-50")
    assert recalled().had == f"{U1}:1-50"


def test_a_relay_log_that_is_thrown_away_hides_no_promotion_that_was_begun() -> None:
    """Its transactions are recorded too, but that alone does not mean that a server was opened."""
    last_seen.remember(time.time(), [OPEN])
    last_seen.throws_away(f"{U1}:1-51")
    assert (recalled().opening, recalled().had) == ("", f"{U1}:1-51")
    last_seen.opening("web2", f"{U1}:1-50")
    last_seen.throws_away(f"{U1}:1-52")
    assert recalled().opening == "web2" and gtid.minus(f"{U1}:1-52", recalled().had) == {}


def test_a_mark_that_is_damaged_is_a_promotion_of_an_unknown_server() -> None:
    """Which server was opened is not known."""
    last_seen.remember(NOW - 1, [OPEN])
    last_seen.OPENING.write_text("{")
    seen = last_seen.recall()
    assert seen is not None and seen.opening == "an unknown server"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"node": "web1"}', json.dumps({**vars(Seen(1, "", "", True, "")), "at": "x"})]
)
def test_a_damaged_memory_is_none(text: str) -> None:
    """Nothing is known then, and a promotion says so."""
    last_seen.SEEN.write_text(text)
    last_seen.DEGRADED.write_text(text.replace("node", "at"))
    assert last_seen.recall() is None and last_seen.degraded() == ""


def test_a_lowered_durability_is_remembered_until_it_is_restored() -> None:
    """It is discarded with all other records when the machines are gone."""
    last_seen.degrade("web2")
    assert last_seen.degraded() == "web2"
    last_seen.restored()
    assert last_seen.degraded() == ""
    last_seen.remember(NOW, [OPEN])
    last_seen.forget()
    assert last_seen.recall() is None


def test_looking_needs_no_right_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """lab.status works in a lab that belongs to another user."""

    def refuses(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(last_seen, "_write", refuses)
    last_seen.remember(NOW, [OPEN])
    assert last_seen.recall() is None


def promoted_meanwhile(answer: Any) -> Any:
    """A function that gives that answer while a promotion of web2 ends."""

    def ask(*_: object) -> Any:
        last_seen.remember(time.time(), [PROMOTED])
        return answer

    return ask


def test_a_status_begun_before_a_promotion_does_not_bring_the_old_primary_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next emergency promotion would believe lab.status."""
    monkeypatch.setattr(vm_power, "states", lambda lab: RUNNING)
    monkeypatch.setattr(site, "healthy", lambda _: True)
    facts = {"web1": NodeFacts({}, None, OPEN), "web2": NodeFacts({}, None, REPLICA)}
    monkeypatch.setattr(status, "_ask", promoted_meanwhile(facts))
    assert status.collect(LAB)["database"]["primary"] == "web1"
    assert known() == "web2"


def test_db_status_begun_before_a_promotion_does_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the answer and does not record it."""
    monkeypatch.setattr(lifecycle, "running", lambda lab, role: [SimpleNamespace(node=it) for it in lab.having(role)])
    monkeypatch.setattr(vm_power, "states", lambda lab: RUNNING)
    monkeypatch.setattr(db, "together", promoted_meanwhile([NodeFacts({}, None, OPEN), NodeFacts({}, None, REPLICA)]))
    db.status_(Context())
    assert known() == "web2"
