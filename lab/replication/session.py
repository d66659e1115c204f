"""A MySQL client on a node, connected before its statements are due, because starting one takes half a second."""

from shlex import quote

from lab.nodes.ssh import Machine, Shell

EXECUTED = "SELECT REPLACE(@@global.gtid_executed, '\\n', '')"
OPENED_S = 60.0
CLIENTS = "/run/weblab/clients"

# `query SQL SECONDS` waits for one line of answer, in $reply. A client ends after an error; `cat` then reads its input,
# or bash would die of SIGPIPE and the error would be lost.
_OPEN = """coproc db {
  exec 2>&1; mysql --connect-timeout=5 --skip-reconnect --batch --skip-column-names --unbuffered; cat >/dev/null
}
query() {
  reply=
  printf '%s\\n' "$1" >&"${db[1]}" && IFS= read -rt "$2" -u "${db[0]}" reply && [[ $reply != ERROR* ]] && return
  echo "MySQL: ${reply:-no answer within $2 s}"
  return 1
}
"""


# A MySQL that was restarted since may have given the same number to a session of the site.
_KILL = """SET @session = (SELECT MAX(processlist_id) FROM performance_schema.threads
WHERE processlist_id = 0$(cat "$file") AND processlist_user = 'root'); KILL @session"""
# Ends the shell and the session that a command left on a node when it gave up or was killed, so that they do nothing
# later. If a session can't be ended its file stays; a session that ended by itself is no error (1094).
END_ALL = f"""for file in {CLIENTS}/*; do
  [ -e "$file" ] || continue
  pid=${{file##*/}}
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != bash ] || kill -KILL "$pid"
  reply=$(timeout 10 mysql --connect-timeout=5 -e "{_KILL}" 2>&1) || [[ $reply == "ERROR 1094"* ]] || continue
  rm -f "$file"
done"""
ALL_ENDED = f"! compgen -G '{CLIENTS}/*' >/dev/null"
# The session's number is stored so that another command can end this client. A client that gives up ends its own
# session: statements sent after one that hangs would run when that returns.
_GIVES_UP = f'timeout 10 mysql --connect-timeout=5 -e "KILL $(cat {CLIENTS}/$$)" 2>/dev/null'
_KEEP = f"""mkdir -p {CLIENTS} && echo "$reply" > {CLIENTS}/$$ &&
trap '{{ [ $? = 0 ] || {_GIVES_UP}; }} && rm -f {CLIENTS}/$$' EXIT"""


def client(machine: Machine, before: str = "") -> Shell:
    """A shell on the node with a connected client; `before` is bash that it runs first."""
    hello = query("SET SESSION wait_timeout = 600; SELECT CONNECTION_ID()", 20)
    text = f'{_OPEN}{hello}\n[ "$reply" -gt 0 ] 2>/dev/null || {{ echo "$reply"; exit 5; }}\n{_KEEP}\n{before}'
    return machine.ready(text, timeout=OPENED_S + 60, title="MySQL's client is ready")


def query(sql: str, seconds: int, otherwise: str = "exit 5") -> str:
    """Bash for such a shell: run statements, the last of which gives one line in $reply; on failure run `otherwise`."""
    return f"query {quote(sql + ';')} {seconds} || {{ {otherwise}; }}"


def wait_for(gtids: str, seconds: int) -> str:
    """Bash for such a shell: wait until the server has executed those transactions, else exit 4."""
    return f"{query(f'SELECT WAIT_FOR_EXECUTED_GTID_SET({gtids}, {seconds})', seconds + 10)}\n{CAUGHT_UP}"


CAUGHT_UP = '[ "$reply" = 0 ] || { echo "it has not executed all transactions in time"; exit 4; }'
NOT_CAUGHT_UP = 4
