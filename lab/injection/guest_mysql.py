"""Faults inside a node's MySQL: of its replication, and one transaction that is too large."""

import shlex
from collections.abc import Callable, Mapping

from lab.faults.kinds import Fault
from lab.injection.scripts import FOLDER, Scripts, state_path
from lab.topology import Lab

_PROMOTED = "{ now=$(mysql -N -e 'SHOW REPLICA STATUS') && [ -z \"$now\" ]; }"  # since then: it has no source
_REFUSE_PROMOTED = f'! {_PROMOTED} </dev/null || {{ echo "$(uname -n) is not a replica"; exit 1; }}'


def _replication_stop(fault: Fault, lab: Lab) -> Scripts:
    running = "mysql --vertical -e 'SHOW REPLICA STATUS' | grep -c 'Replica_\\(IO\\|SQL\\)_Running: Yes'"
    thread, left = (" IO_THREAD", 1) if fault.options.get("receiver_only") else ("", 0)
    return Scripts(
        prepare=_REFUSE_PROMOTED,
        inject=f"mysql -e 'STOP REPLICA{thread}'",
        seen=f'[ "$({running})" = {left} ]',
        heal=f"{_PROMOTED} || mysql -e 'START REPLICA'",
        gone=f'[ "$({running})" = 2 ] || {_PROMOTED}',
    )


def _replication_lag(fault: Fault, lab: Lab) -> Scripts:
    def delayed(seconds: int) -> str:
        change = f"CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}"
        # With both threads stopped MySQL would discard the relay log.
        return f'mysql -e "START REPLICA IO_THREAD; STOP REPLICA SQL_THREAD; {change}; START REPLICA SQL_THREAD"'

    def asked(seconds: int) -> str:
        return f"mysql --vertical -e 'SHOW REPLICA STATUS' | grep -qx ' *SQL_Delay: {seconds}'"

    seconds = int(fault.options["seconds"])
    heal, gone = f"{_PROMOTED} || {delayed(0)}", f"{asked(0)} || {_PROMOTED}"
    return Scripts(delayed(seconds), asked(seconds), heal, gone, prepare=_REFUSE_PROMOTED)


def _replication_slow(fault: Fault, lab: Lab) -> Scripts:
    """Packets above the rate are dropped, and TCP sends them again; the burst exceeds GRO's largest packet, 64 kB."""
    table = f"inet weblab_{fault.id.replace('-', '_')}"
    over = f"limit rate over {max(1, int(fault.options.get('rate_kbit', 8)) // 8)} kbytes/second burst 128 kbytes"
    chain = f"chain in {{ type filter hook input priority -290; tcp sport 3306 {over} drop; }}"
    return Scripts(
        prepare=_REFUSE_PROMOTED,
        inject=f"nft delete table {table} 2>/dev/null\nnft 'table {table} {{\n{chain}\n}}'",
        seen=f"nft list table {table} >/dev/null",
        heal=f"nft delete table {table} 2>/dev/null; true",
        gone=f"! nft list table {table} >/dev/null 2>&1",
        timed=True,
    )


def _large_transaction(fault: Fault, lab: Lab) -> Scripts:
    """It is injected once the binary log has it: then it is sent to the replica, and COMMIT waits for that."""
    unit, size, table = f"weblab-fault-{fault.id}", state_path(fault), "weblab_fault.large"
    grown = "stat -c %s /var/lib/mysql/binlog.[0-9]* | awk '{ total += $1 } END { print total }'"
    make = f"CREATE DATABASE IF NOT EXISTS weblab_fault; CREATE TABLE IF NOT EXISTS {table} (filler MEDIUMBLOB)"
    rows = ", ".join(['(REPEAT("a", 1000000))'] * int(fault.options["megabytes"]))
    commit = f"mysql -e 'INSERT INTO {table} VALUES {rows}'"
    drop = "timeout 20 mysql -e 'DROP DATABASE weblab_fault'"
    is_primary = "mysql -N -e 'SELECT @@GLOBAL.read_only' | grep -qx 0"
    return Scripts(
        prepare=f'{is_primary} || {{ echo "$(uname -n) is not the primary"; exit 1; }}\n'
        f"mkdir -p {FOLDER}; timeout 20 mysql -e '{make}' && {grown} > {size}",
        inject=f"systemd-run --quiet --collect --unit={unit} bash -c {shlex.quote(commit)}",
        seen=f'[ "$({grown})" -gt $(( $(< {size}) + {int(fault.options["megabytes"])} * 1000000 )) ]',
        heal=f"systemctl stop {unit} 2>/dev/null\n{is_primary} && {drop}; true",
        gone=f"! systemctl is-active --quiet {unit}",
    )


MAKERS: Mapping[str, Callable[[Fault, Lab], Scripts]] = {
    "replication-stop": _replication_stop,
    "replication-lag": _replication_lag,
    "replication-slow": _replication_slow,
    "large-transaction": _large_transaction,
}
