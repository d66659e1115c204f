"""The advice where a database server was made anew: it is empty, and the other one has the notes."""

import time
from dataclasses import replace

import pytest

from lab.mysql import last_seen
from lab.mysql.advice import advise
from lab.mysql.server_state import Database
from tests.support.pairs import CLOSED, PROMOTED, WEB1, WEB2

U3 = "33333333-3333-3333-3333-333333333333"
EMPTY = Database("web2", "9.7.4", writable=False, gtid_executed="", has_site=False, uuid=U3, age_s=100, start="b007 1")
HAS_ALL = replace(
    CLOSED, source=str(WEB2.ip), applying=True, gtid_executed=PROMOTED.gtid_executed, error="Error connecting"
)
ENDS = {"web2": "how MySQL on web2 ended as a primary is not known: it was started again since"}
RUNNING = {"web1": "running", "web2": "running"}


@pytest.mark.parametrize("web1", [HAS_ALL, replace(HAS_ALL, source="")], ids=["follows", "apart"])
@pytest.mark.parametrize("web2", [EMPTY, replace(EMPTY, gtid_executed=f"{U3}:1-2")], ids=["empty", "own accounts"])
def test_an_empty_server_is_not_promoted_beside_one_with_data(web1: Database, web2: Database) -> None:
    """web2 was promoted and then made anew: its promotion would end all notes."""
    last_seen.remember(time.time(), [PROMOTED])
    (line,) = advise((WEB1, WEB2), {"web1": web1, "web2": web2}, "", ENDS, RUNNING)
    assert line.endswith("; next: invoke db.promote web1 --accept-data-loss")
