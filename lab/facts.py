"""Questions to a node, one round trip each, and pure readers of the answers."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from lab.errors import LabError
from lab.machine import Machine

READY_TIMEOUT_S = 20.0
MARK = "=weblab="
UNITS = {"balancer": ["haproxy"], "nameserver": ["dnsmasq"], "web": ["nginx", "php*-fpm"], "database": ["mysql"]}

# One session of the client; --vertical because `\G` is refused in batch mode since MySQL 9.7.
DATABASE = """mysql --connect-timeout=5 --vertical -e "SELECT @@version AS version, @@server_id AS server_id, \
@@global.super_read_only AS super_read_only, @@global.gtid_executed AS gtid_executed, \
(SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'site') AS has_site; \
SHOW REPLICA STATUS" """
BALANCER = "echo 'show stat' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock"


@dataclass(frozen=True)
class Database:
    """One MySQL server; `source` is the address it replicates from, '' if none."""

    node: str
    version: str
    writable: bool
    gtid_executed: str
    has_site: bool
    source: str = ""
    receiving: bool = False
    applying: bool = False
    lag_s: int | None = None
    error: str = ""

    @property
    def replicating(self) -> bool:
        """Whether both of the replica's threads run."""
        return self.receiving and self.applying

    @property
    def role(self) -> str:
        """'replica' where it has a source, 'primary' where it is open for writes, else 'unassigned'."""
        if self.source:
            return "replica"
        return "primary" if self.writable else "unassigned"


@dataclass(frozen=True)
class Server:
    """One HAProxy server: `status` is HAProxy's own word."""

    backend: str
    name: str
    status: str
    weight: int
    check: str


def ready(machine: Machine) -> str:
    """The node's /etc/os-release, once it answers on ssh: being reachable and what it is, in one."""
    return machine.run("cat /etc/os-release", timeout=READY_TIMEOUT_S, title="waits for ssh").stdout


def services(output: str) -> dict[str, str]:
    """`systemctl show -p Id -p ActiveState` as unit -> state, without the '.service'."""
    states: dict[str, str] = {}
    for block in output.strip().split("\n\n"):
        it = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in it:
            states[it["Id"].removesuffix(".service")] = it.get("ActiveState", "unknown")
    return states


def database(node: str, output: str) -> Database | None:
    """The answer to DATABASE; None where the server did not answer."""
    rows = vertical(output)
    if not rows or "gtid_executed" not in rows[0]:
        return None
    own, replica = rows[0], rows[1] if len(rows) > 1 else {}
    lag = replica.get("Seconds_Behind_Source", "NULL")
    return Database(
        node=node,
        version=own["version"],
        writable=own["super_read_only"] == "0",
        gtid_executed=own["gtid_executed"].replace("\n", "").replace(" ", ""),
        has_site=own["has_site"] == "1",
        source=replica.get("Source_Host", ""),
        receiving=replica.get("Replica_IO_Running") == "Yes",
        applying=replica.get("Replica_SQL_Running") == "Yes",
        lag_s=int(lag) if lag.isdigit() else None,
        error=replica.get("Last_IO_Error", "") or replica.get("Last_SQL_Error", ""),
    )


def vertical(output: str) -> list[dict[str, str]]:
    """The rows of `mysql --vertical`; a value's further lines belong to the name above them."""
    rows: list[dict[str, str]] = []
    name = ""
    for line in output.splitlines():
        if line.startswith("*****"):
            rows.append({})
            continue
        key, colon, value = line.partition(": ")
        if rows and colon and key.strip().replace("_", "").isalnum():
            name = key.strip()
            rows[-1][name] = value.strip()
        elif rows and line.rstrip().endswith(":") and line.strip()[:-1].replace("_", "").isalnum():
            name = line.strip()[:-1]
            rows[-1][name] = ""
        elif rows and name:
            rows[-1][name] += "\n" + line.strip()
    return rows


def servers(output: str) -> list[Server]:
    """HAProxy's `show stat` as the servers behind the balancer."""
    text = output.removeprefix("# ").strip()
    found = []
    for row in csv.DictReader(io.StringIO(text)):
        if row.get("svname") not in {"FRONTEND", "BACKEND", None}:
            weight = int(row["weight"] or 0)
            found.append(Server(row["pxname"], row["svname"], row["status"], weight, row["check_status"]))
    return found


@dataclass(frozen=True)
class NodeFacts:
    """What one node answered: unit states, and the raw answers of its roles' questions."""

    services: Mapping[str, str]
    servers: list[Server] | None
    database: Database | None
    error: str = ""


def ask(machine: Machine) -> NodeFacts:
    """Everything that status shows about a node, in one round trip; an unreachable node is a fact too."""
    roles = machine.node.roles
    units = " ".join(f"'{unit}.service'" for role in roles for unit in UNITS[role])
    script = [f"systemctl show -p Id -p ActiveState {units}", f"echo {MARK}"]
    script += [BALANCER if "balancer" in roles else "true", f"echo {MARK}"]
    script += [DATABASE if "database" in roles else "true"]
    try:
        answer = machine.script("exec 2>&1\n" + "\n".join(script) + "\nexit 0", timeout=15, title="status")
    except LabError as error:
        return NodeFacts({}, None, None, str(error))
    unit_text, balancer_text, database_text = [*answer.stdout.split(f"{MARK}\n"), "", ""][:3]
    states = {unit: state for unit, state in services(unit_text).items() if "*" not in unit}
    return NodeFacts(
        services=states,
        servers=servers(balancer_text) if "pxname" in balancer_text else None,
        database=database(machine.node.name, database_text),
    )
