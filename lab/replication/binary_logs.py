"""The binary logs of a server: what is in them, and transactions of them applied again to a copy of the site's data."""

from shlex import quote

from lab.mysql import binary_log
from lab.mysql.binary_log import SITE, Transaction
from lab.nodes.ssh import Machine

READ_S = 300.0
# Bash: go to the binary logs, and name them in their order in $logs.
LOGS = """set -euo pipefail
base=$(mysql -N -e 'SELECT @@log_bin_basename')
logs=$(mysql -N -e 'SHOW BINARY LOGS' | cut -f 1)
cd "${base%/*}\""""
# Values of rows are most of the output, and hashes of passwords may be shown as progress: both are left out.
_READ = """mysqlbinlog --no-defaults --base64-output=DECODE-ROWS -v --include-gtids={gtids} $logs </dev/null |
sed -e '/^###   /d' -e '/USER/s/IDENTIFIED.*//'"""
# With their old GTIDs the server would skip them: it has executed them. --database names what --rewrite-db made of it:
# https://dev.mysql.com/doc/refman/8.4/en/mysqlbinlog.html#option_mysqlbinlog_rewrite-db
_APPLY = """mysqlbinlog --no-defaults --skip-gtids --include-gtids={gtids} --rewrite-db={rewrite} --database={into} \\
$logs </dev/null | mysql --binary-mode"""


def transactions(machine: Machine, gtids: str) -> list[Transaction]:
    """Those of a GTID set that the binary logs have, in the order in which they were committed there."""
    if not gtids:  # for mysqlbinlog an empty set is no restriction
        return []
    text = f"{LOGS}\n{_READ.format(gtids=quote(gtids))}"
    return binary_log.read(machine.script(text, timeout=READ_S, title="reads the binary logs").stdout)


def apply(machine: Machine, gtids: str, into: str) -> None:
    """Apply the changes that a GTID set made to rows of the site to the database `into`, with new GTIDs.

    Raises CommandFailed at the first that does not fit; those before it stay applied.
    """
    if not gtids:
        return
    words = {"gtids": quote(gtids), "rewrite": quote(f"{SITE}->{into}"), "into": quote(into)}
    machine.script(f"{LOGS}\n{_APPLY.format(**words)}", timeout=READ_S, title="repeats what came after the backup")
