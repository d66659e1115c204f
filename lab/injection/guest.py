"""The bash of a fault inside a node: prepare it, inject it, verify it, heal it, verify that it is gone. Text only.

Each script is self-contained and may run twice. `seen` and `gone` exit 0 if the fault is there, or is gone.
"""

import shlex
from collections.abc import Callable, Mapping

from lab.faults.kinds import ALL, Fault
from lab.injection import guest_mysql, guest_web
from lab.injection.scripts import FOLDER, Scripts, state_path
from lab.nodes import services
from lab.release import SERVICES
from lab.topology import Lab

FILL = "/var/tmp/weblab-fault-fill"
GROUPS = "/sys/fs/cgroup/system.slice"  # the kernel's own list of a unit's processes: no program has to start
MEMORY_LEFT = 12  # percent of the memory that a memory-hog leaves
CLOCK_TOLERANCE_S = 2


def scripts(fault: Fault, lab: Lab) -> Scripts:
    """The scripts of a fault inside a guest; KeyError for a fault of the whole machine."""
    return _MAKERS[fault.kind](fault, lab)


def with_timer(fault: Fault, made: Scripts, seconds: int) -> str:
    """The prepare script, with a timer that heals the fault if the injecting command is killed."""
    if not made.timed:
        return made.prepare
    unit = f"weblab-heal-{fault.id}"
    start = f"systemd-run --quiet --collect --unit={unit} --on-active={seconds} bash -c {shlex.quote(made.heal)}"
    return f"{_stop_timer(fault)}\n{start} || exit 1\n{made.prepare}"


def without_timer(fault: Fault, made: Scripts) -> str:
    """The heal script, which stops the timer too."""
    return f"{made.heal}\n{_stop_timer(fault)}" if made.timed else made.heal


def _stop_timer(fault: Fault) -> str:
    return f"systemctl stop weblab-heal-{fault.id}.timer 2>/dev/null; true"


def _unit(fault: Fault) -> str:
    """Bash that puts the service's unit and its main process into $unit and $pid."""
    return f"unit=$(systemctl show -p Id --value {services.named([SERVICES[fault.service].unit])} | head -n 1)\n{_PID}"


_PID = 'pid=$(systemctl show -p MainPID --value "$unit")'
_REFUSE_STOPPED = '[ "$unit" ] && [ "${pid:-0}" != 0 ] || { echo "$unit does not run"; exit 1; }'
_ACTIVE = '[ "$(systemctl is-active "$unit")" = active ]'


def _known(fault: Fault) -> str:
    """Bash that reads the stored unit into $unit, and fails if there is none: an empty name means all units."""
    return f'read -r unit < {state_path(fault)}.unit && [ "$unit" ]'


def _remember(fault: Fault) -> str:
    """Bash that stores the unit's name and its main process for later scripts."""
    where = state_path(fault)
    return f'{_unit(fault)}\n{_REFUSE_STOPPED}\nmkdir -p {FOLDER}; echo "$pid" > {where}; echo "$unit" > {where}.unit'


def _service_kill(fault: Fault, lab: Lab) -> Scripts:
    unit, where, stays_dead = _unit(fault), state_path(fault), not fault.options.get("restarts", False)
    extra = '/run/systemd/system/"$unit".d/weblab-fault.conf'
    no_restart = (
        '\nif [ "$(systemctl show -p Restart --value "$unit")" != no ]; then\n'
        f'mkdir -p "$(dirname {extra})"; printf "[Service]\\nRestart=no\\n" > {extra}\nsystemctl daemon-reload; fi'
    )
    return Scripts(
        prepare=_remember(fault) + (no_restart if stays_dead else ""),
        inject=f'{_known(fault)} && echo 1 > {GROUPS}/"$unit"/cgroup.kill',
        seen=f'{unit}\n[ "$pid" != "$(cat {where})" ]' + (f" && ! {_ACTIVE}" if stays_dead else ""),
        heal=f"{unit}\nif [ -e {extra} ]; then rm -f {extra}; systemctl daemon-reload; fi\n{_START}",
        gone=f"{unit}\n{_ACTIVE}",
    )


_START = 'systemctl reset-failed "$unit" 2>/dev/null\ntimeout 180 systemctl start "$unit"'


def _service_stop(fault: Fault, lab: Lab) -> Scripts:
    unit = _unit(fault)
    return Scripts(
        prepare=_remember(fault),
        inject=f'{_known(fault)} && timeout 90 systemctl stop "$unit"',
        seen=f"{unit}\n! {_ACTIVE}",
        heal=f"{unit}\n{_START}",
        gone=f"{unit}\n{_ACTIVE}",
    )


def _service_freeze(fault: Fault, lab: Lab) -> Scripts:
    unit = _unit(fault)
    stands = 'grep -q "^State:.T" "/proc/$pid/status"'
    return Scripts(
        prepare=_remember(fault),
        inject=f'{_known(fault)} && kill -STOP $(< {GROUPS}/"$unit"/cgroup.procs)',
        seen=f"{unit}\n{stands}",
        heal=f'{unit}\nsystemctl kill -s CONT "$unit" 2>/dev/null\n{_START}',
        gone=f"{unit}\n{_ACTIVE} && ! {stands}",
        timed=True,
    )


def _partition(fault: Fault, lab: Lab) -> Scripts:
    others = str(lab.network) if fault.peer == ALL else str(lab.node(fault.peer).ip)
    table = f"inet weblab_{fault.id.replace('-', '_')}"
    rules = (
        f"table {table} {{\n"
        f"  chain in  {{ type filter hook input priority -300; iif lo accept; ip saddr {others} drop; }}\n"
        f"  chain out {{ type filter hook output priority -300; oif lo accept; ip daddr {others} drop; }}\n}}"
    )
    peers = [it for it in lab.nodes if it.name == fault.peer or (fault.peer == ALL and it.name != fault.node)]
    silent = " && ".join(f"! timeout 1 bash -c '</dev/tcp/{node.ip}/22' 2>/dev/null" for node in peers)
    return Scripts(
        inject=f"nft delete table {table} 2>/dev/null\nnft -f - <<'END'\n{rules}\nEND",
        seen=f"nft list table {table} >/dev/null && {silent}",
        heal=f"nft delete table {table} 2>/dev/null; true",
        gone=f"! nft list table {table} >/dev/null 2>&1",
        timed=True,
    )


def _slow(fault: Fault, lab: Lab) -> Scripts:
    card = f"card=$(ip -o -4 address show to {lab.node(fault.node).ip} | awk '{{print $2}}')"
    words: Mapping[str, str] = {"delay_ms": "delay {}ms", "jitter_ms": "{}ms", "loss_percent": "loss {}%"}
    netem = " ".join(words[name].format(fault.options[name]) for name in words if name in fault.options)
    if "rate_kbit" in fault.options:
        netem += f" rate {fault.options['rate_kbit']}kbit"
    return Scripts(
        inject=f'{card}\ntc qdisc replace dev "$card" root netem {netem.strip()}',
        seen=f'{card}\ntc qdisc show dev "$card" | grep -q netem',
        heal=f'{card}\ntc qdisc del dev "$card" root 2>/dev/null; true',
        gone=f'{card}\n! tc qdisc show dev "$card" | grep -q netem',
        timed=True,
    )


def _disk_full(fault: Fault, lab: Lab) -> Scripts:
    room = "$(df --output=avail -B 1 / | tail -n 1)"
    rest = f"dd if=/dev/zero bs=4k oflag=append conv=notrunc of={FILL} 2>/dev/null"
    return Scripts(
        inject=f"fallocate -l {room} {FILL} || true\n{rest}; true",
        seen=f"[ {room} -lt 1048576 ]",
        heal=f"rm -f {FILL}",
        gone=f"[ ! -e {FILL} ] && [ {room} -gt 1048576 ]",
    )


def _cpu_hog(fault: Fault, lab: Lab) -> Scripts:
    return _hog(fault, "for _ in $(seq $(nproc)); do (while :; do :; done) & done; wait", "true")


def _memory_hog(fault: Fault, lab: Lab) -> Scripts:
    take = (
        "want=$(awk '/^MemAvailable/ {a=$2} /^MemTotal/ {t=$2} "
        f'END {{printf "%d", (a - t * {MEMORY_LEFT} / 100) * 1024}}\' /proc/meminfo)\n'
        '{ head -c "$want" /dev/zero; sleep 86400; } | tail -n 1 >/dev/null'
    )
    full = f"/^MemAvailable/ {{a=$2}} /^MemTotal/ {{t=$2}} END {{exit !(a < t * {MEMORY_LEFT + 8} / 100)}}"
    return _hog(fault, take, f"awk '{full}' /proc/meminfo")


def _hog(fault: Fault, body: str, taken: str) -> Scripts:
    unit = f"weblab-fault-{fault.id}"
    start = f"systemd-run --quiet --collect --unit={unit} bash -c {shlex.quote(body)}"
    return Scripts(
        inject=f"systemctl stop {unit} 2>/dev/null\n{start}",
        seen=f"systemctl is-active --quiet {unit} && {taken}",
        heal=f"systemctl stop {unit} 2>/dev/null; true",
        gone=f"! systemctl is-active --quiet {unit}",
        timed=True,
    )


def _clock_skew(fault: Fault, lab: Lab) -> Scripts:
    """The change is measured against the time since boot, which can't be set."""
    where, seconds = state_path(fault), int(fault.options["seconds"])
    since = "read -r up _ < /proc/uptime; now=$(( $(date +%s) - ${up%.*} ))"
    moved = f"{since}\nmoved=$(( now - $(cat {where}) ))"
    return Scripts(
        inject=f"mkdir -p {FOLDER}\n{since}\n[ -e {where} ] || echo $now > {where}\n"
        f"date -u -s @$(( $(date +%s) + {seconds} )) >/dev/null",
        seen=f"{moved}\nerror=$(( moved - {seconds} ))\n[ ${{error#-}} -le {CLOCK_TOLERANCE_S} ]",
        heal=f"[ -e {where} ] || exit 0\n{moved}\ndate -u -s @$(( $(date +%s) - moved )) >/dev/null\nrm -f {where}",
        gone=f"[ ! -e {where} ]",
    )


_MAKERS: Mapping[str, Callable[[Fault, Lab], Scripts]] = {
    "service-kill": _service_kill,
    "service-stop": _service_stop,
    "service-freeze": _service_freeze,
    "partition": _partition,
    "slow": _slow,
    "disk-full": _disk_full,
    "cpu-hog": _cpu_hog,
    "memory-hog": _memory_hog,
    "clock-skew": _clock_skew,
    **guest_mysql.MAKERS,
    **guest_web.MAKERS,
}
