"""Faults of the software on a web server."""

from collections.abc import Callable, Mapping

from lab.faults.kinds import Fault
from lab.injection.scripts import FOLDER, Scripts, state_path
from lab.nodes import services
from lab.release import SERVICES
from lab.topology import Lab

PHP = SERVICES["php-fpm"]
SETTINGS, LINK = f"{PHP.conf.rpartition('/')[0]}/conf.d", "zz-weblab-limit.ini"

# PHP runs this before each request of a visitor: requests take turns, each for a fixed time, as on one slow processor.
# A share of the real processor would be worth less on a busy machine, and a crowd makes it busy.
_TURNS = """<?php
(static function (): void {{
    $turns = fopen('{turns}', 'c+');
    flock($turns, LOCK_EX);
    $end = max(hrtime(true), (int) stream_get_contents($turns)) + {nanoseconds};
    rewind($turns);
    fwrite($turns, (string) $end);
    fclose($turns);
    usleep(max(0, intdiv($end - hrtime(true), 1000)));
}})();"""
_RELOAD = f"systemctl try-reload-or-restart {services.named([PHP.unit])}"
_ASK = "curl -s -m 10 -o /dev/null http://127.0.0.1/health"


def _php_limit(fault: Fault, lab: Lab) -> Scripts:
    """At a reload PHP reads a link to a file; a boot removes that file, and the limit with it.

    A heal removes the file last: while it exists, the next heal after an interrupted one reloads PHP again.
    """
    where, turns = state_path(fault), f"{state_path(fault)}.turns"
    link = f"$(ls -d {SETTINGS} | head -n 1)/{LINK}"
    nanoseconds = 1_000_000_000 // int(fault.options.get("pages_per_s", 1))
    return Scripts(
        prepare=(
            f"set -e\ninstall -d -m 755 {FOLDER}; install -o www-data -m 600 /dev/null {turns}\n"
            f"cat > {where}.php <<'END'\n{_TURNS.format(turns=turns, nanoseconds=nanoseconds)}\nEND\n"
            f"echo auto_prepend_file={where}.php > {where}.ini"
        ),
        inject=f"ln -sf {where}.ini {link} && {_RELOAD}",
        seen=f"{_ASK}\n[ -s {turns} ]",
        heal=f"rm -f {SETTINGS}/{LINK}; [ ! -e {where}.ini ] || {{ {_RELOAD} && rm {where}.ini; }}",
        gone=f'before=$(cat {turns} 2>&1)\n{_ASK}\n[ ! -e {where}.ini ] && [ "$(cat {turns} 2>&1)" = "$before" ]',
        timed=True,
    )


MAKERS: Mapping[str, Callable[[Fault, Lab], Scripts]] = {"php-limit": _php_limit}
