"""The two databases of the lab, in states that tests change a little."""

from dataclasses import replace

from lab import topology
from lab.durability import Durability
from lab.mysql.server_state import Database

LAB = topology.load()
WEB1, WEB2 = LAB.having("database")
U1, U2 = "11111111-71ca-11e1-9e33-c80aa9429562", "22222222-71ca-11e1-9e33-c80aa9429562"

OPEN = Database(
    "web1",
    "9.7.4",
    writable=True,
    gtid_executed=f"{U1}:1-50",
    has_site=True,
    durability=Durability.DURABLE,
    uuid=U1,
    waits=True,
    age_s=3600,
    start="b007 9640000",
)
CLOSED = replace(OPEN, writable=False, durability=Durability.ASYNC, waits=False)
REPLICA = replace(
    CLOSED,
    node="web2",
    uuid=U2,
    source=str(WEB1.ip),
    receiving=True,
    applying=True,
    lag_s=0,
    received=f"{U1}:40-50",
)
PROMOTED = replace(OPEN, node="web2", uuid=U2, gtid_executed=f"{U1}:1-50,{U2}:1-7", durability=Durability.AVAILABLE)
APART = replace(CLOSED, node="web2", uuid=U2)
