"""The replica's side of a simulated server: receiver, applier and relay log.

Both threads work as late as MySQL may: they fetch and apply only while a statement waits for transactions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.mysql import gtid
from tests.support.simulated.errors import LOST, STOPPED, SqlError
from tests.support.simulated.gtid_sets import minus, union

if TYPE_CHECKING:
    from tests.support.simulated.mysql import Server

BOTH = frozenset({"IO", "SQL"})
COORDINATOR, RECEIVER = 5, 6
DEFERRED_S = 60  # how long the applier defers its end within a transaction


@dataclass(eq=False)
class Replica:
    """`running`: its threads; `received`: since the relay log began; `delay` is in seconds.

    Faults: `torn`: the relay log ends inside a transaction, so the applier can't stop by itself. `stubborn`: nor by a
    KILL. `stuck`: nothing is applied. `deaf`: the receiver does not notice a stop before its connection is removed.
    `damaged`: the relay log can't be read. `misled`: a setting of the source is wrong; both last until the source is
    set again. `differs`: the server's data differs from its source's, so it can't apply what it receives. `denied`:
    its password is wrong. `purged`: its source no longer has what it lacks.
    """

    server: "Server" = field(repr=False)
    source: str = ""
    running: frozenset[str] = frozenset()
    received: str = ""
    delay: int = 0
    error: str = ""
    stopping: bool = False
    torn: bool = False
    stuck: bool = False
    stubborn: bool = False
    deaf: bool = False
    damaged: bool = False
    misled: bool = False
    differs: bool = False
    denied: bool = False
    purged: bool = False

    @property
    def unapplied(self) -> str:
        """The transactions that are only in the relay log."""
        return minus(self.received, self.server.executed)

    @property
    def connected(self) -> bool:
        """Whether the receiver gets what its source commits."""
        return "IO" in self.running and self.source_server() is not None

    def source_server(self) -> "Server | None":
        """The running server at the source's address."""
        cluster = self.server.cluster
        found = [it for it in cluster.servers if str(it.node.ip) == self.source and it.runs]
        found = [] if self.misled or self.denied else found
        return found[0] if found and not cluster.cut and cluster.power[found[0].node.name] == "running" else None

    def work(self, seconds: float) -> None:
        """Fetch and apply for so many seconds."""
        source = self.source_server()
        if "IO" in self.running and source:
            lacks = self._takes(minus(source.executed, self.server.executed))
            if minus(source.purged, union(self.received, minus(source.purged, lacks))):
                self.running, self.purged = self.running - {"IO"}, True
            else:
                self.received, self.torn = (
                    union(self.received, lacks),
                    self.torn and self.stubborn,
                )  # the rest comes now
        if "SQL" in self.running and not self.stuck and self.delay <= seconds and not self.server.waits_for_replica:
            self.server.executed = union(self.server.executed, self.received)

    def _takes(self, transactions: str) -> str:
        """The transactions that the receiver does not skip: it skips those of its own machine."""
        rest = gtid.parse(transactions).items()
        return gtid.text({source: it for source, it in rest if source not in self.server.uuids})

    @property
    def why_not(self) -> str:
        """Why it does not receive, as a server reports after it had time to notice."""
        if self.purged:
            return "Got fatal error 1236 from source: it has purged required binary logs"
        if not self.server.cluster.noticed or "IO" not in self.running or self.connected:
            return ""
        return "Access denied for user 'replication'" if self.denied else "Error connecting to source: Can't connect"

    def start(self, threads: frozenset[str]) -> None:
        """START REPLICA."""
        self._not_stopping()
        if not self.source:
            raise SqlError(1200, "The server is not configured as replica; fix with CHANGE REPLICATION SOURCE TO")
        connects = "IO" in threads - self.running
        self.purged = self.purged and "IO" not in threads
        self.running |= threads
        if (self.damaged or self.differs) and "SQL" in threads:
            self.running, self.error = self.running - {"SQL"}, "Relay log read failure"
        if connects and self.connected:
            self.torn = self.torn and self.stubborn  # the rest comes now

    def stop(self, threads: frozenset[str]) -> None:
        """STOP REPLICA; waits for an applier inside a transaction, as long as MySQL does."""
        self.stopping = True
        try:
            if "SQL" in threads:
                self._stop_applier()
            if "IO" in threads:
                self._wait(lambda: not self.deaf or "IO" not in self.running)
                self.running -= {"IO"}
        finally:
            self.stopping = False
            self.server.cluster.lock.notify_all()

    def _stop_applier(self) -> None:
        if self.torn and "SQL" in self.running and self.server.number("rpl_stop_replica_timeout") < DEFERRED_S:
            raise SqlError(1875, "STOP REPLICA command execution is incomplete: Replica SQL thread got the stop signal")
        if self.torn and "SQL" in self.running:
            self.server.cluster.stalls()
        self._wait(lambda: not self.torn or "SQL" not in self.running)
        self.running -= {"SQL"}

    def release(self) -> None:
        """The applier gives up waiting for the rest of its transaction."""
        with self.server.cluster.lock:
            self.torn = False
            self.server.cluster.lock.notify_all()

    def kill(self, thread: int) -> bool:
        """KILL of one of its threads, which ends at once without waiting."""
        name = {COORDINATOR: "SQL", RECEIVER: "IO"}.get(thread, "")
        found = name in self.running
        self.running -= set() if self.stubborn else {name}
        self.server.cluster.lock.notify_all()
        return found

    def change(self, options: dict[str, str]) -> None:
        """CHANGE REPLICATION SOURCE TO; with both threads stopped, MySQL discards the relay log."""
        self._not_stopping()
        needs = {"SQL"} if set(options) == {"SOURCE_DELAY"} else {"IO"}
        needs |= {"SQL"} if "SOURCE_AUTO_POSITION" in options else set()
        if self.running & needs:
            raise SqlError(3021, f"This operation cannot be performed with a running replica {needs} thread")
        if not self.running:
            self.throw_away()
        self.misled = self.misled and "SOURCE_HOST" not in options
        self.denied = self.denied and "SOURCE_PASSWORD" not in options
        self.source = options.get("SOURCE_HOST", self.source)
        self.delay = int(options.get("SOURCE_DELAY", self.delay))

    def reset(self, *, everything: bool) -> None:
        """RESET REPLICA [ALL]: discards the relay log."""
        self._not_stopping()
        if self.running:
            raise SqlError(3081, STOPPED)
        self.throw_away()
        if everything:
            self.source, self.delay = "", 0

    def throw_away(self) -> None:
        """The relay log is deleted, applied or not."""
        self.server.thrown_away = union(self.server.thrown_away, self.unapplied)
        self.received, self.torn, self.damaged, self.error = "", False, False, ""

    def _not_stopping(self) -> None:
        self._wait(lambda: not self.stopping)

    def _wait(self, condition: Callable[[], bool]) -> None:
        cluster = self.server.cluster
        cluster.lock.wait_for(lambda: condition() or cluster.over or not self.server.runs)
        if cluster.over or not self.server.runs:
            raise LOST
