"""What a server that does not replicate is beside the primary."""

from dataclasses import replace

import pytest

from lab.mysql.advice import advise
from tests.support.pairs import CLOSED, OPEN, U1, U2, WEB1, WEB2


@pytest.mark.parametrize(
    ("web2", "what"),
    [
        (f"{U1}:1-49", "misses 1 transaction;"),
        (f"{U1}:1-40", "misses 10 transactions;"),
        (f"{U1}:1-50,{U2}:1", "has 1 transaction that web1 has not;"),
        (f"{U1}:1-48,{U2}:1-3", "has 3 transactions that web1 has not and misses 2 transactions;"),
        (f"{U1}:1-50", "has the same transactions as web1;"),
    ],
)
def test_a_server_that_does_not_replicate_is_compared_with_the_primary(web2: str, what: str) -> None:
    """What it has alone, and what it misses: '0 transactions' is no reason for anything."""
    apart = replace(CLOSED, node="web2", uuid=U2, gtid_executed=web2)
    (line,) = advise((WEB1, WEB2), {"web1": OPEN, "web2": apart}, "", {})
    assert f"web2 does not replicate, and {what}" in line
