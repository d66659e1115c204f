"""The scripts that a node is asked and changed with, and readers of what they print."""

import shlex
from collections.abc import Sequence

from lab.desired import staged_files
from lab.desired.staged_files import step
from lab.desired.state import Desired, Difference, File, Found, Unit

MARK = "=weblab="
PENDING = "/var/lib/weblab/pending"  # a file for each unit that has yet to react to its new files
POLICY = "/usr/sbin/policy-rc.d"
LOCK_TIMEOUT_S = 300
LOCK_HELD = 75  # EX_TEMPFAIL
START_S = 120  # a unit

# Runs a command again for as long as it finds a lock of the package manager held, and says which.
PATIENTLY = r"""patiently() {
    local output held code report_at=0 end=$((SECONDS + %d))
    while true; do
        code=0
        output=$(LC_ALL=C "$@" 2>&1) || code=$?
        held=$(grep -m1 -e 'lock was locked by' -e 'Could not get lock' <<<"$output") || held=
        if ((code == 0)) || [ -z "$held" ]; then break; fi
        if ((SECONDS >= end)); then code=%d; break; fi
        if ((SECONDS >= report_at)); then echo "step: waits: $held"; report_at=$((SECONDS + 10)); fi
        sleep 1
    done
    printf '%%s\n' "$output"
    return "$code"
}"""


def probe_script(desired: Desired) -> str:
    """Bash that reports, section by section, all that `desired` is compared with."""
    lines = ["exec 2>/dev/null", f"echo {MARK} packages"]
    if desired.packages:
        names = shlex.join(desired.packages)
        lines.append(rf"dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}}\n' {names}")
    if desired.files:
        paths = shlex.join(file.path for file in desired.files)
        lines += [f"echo {MARK} sums", f"sha256sum {paths}", f"echo {MARK} modes", f"stat -c '%a %U:%G %n' {paths}"]
    if desired.units:
        names = shlex.join(unit.name for unit in desired.units)
        properties = "-p Names -p ActiveState -p UnitFileState -p NeedDaemonReload"
        lines += [f"echo {MARK} units", f"systemctl show {properties} {names}"]
        lines += [f"echo {MARK} pending", f"ls -1 {PENDING}"]
    for command in desired.commands:
        lines.append(f"( {command.ask}\n) >/dev/null </dev/null; echo {MARK} command $? {shlex.quote(command.name)}")
    for name, question in desired.questions.items():
        lines += [f"echo {MARK} answer {shlex.quote(name)}", _question(question)]
    return "\n".join([*lines, "exit 0"])


def _question(question: str) -> str:
    """What it says on stderr comes after its answer: in the middle of a line it would spoil it."""
    return f"""{{ why=$( exec 2>&1 >&3 3>&- </dev/null\n{question}\n); }} 3>&1; [ -z "$why" ] || echo "$why\""""


def read_probe(output: str) -> Found:
    """The probe's report as data."""
    sections: dict[str, list[str]] = {}
    commands: dict[str, int] = {}
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith(f"{MARK} command "):
            code, name = line.removeprefix(f"{MARK} command ").split(" ", 1)
            commands[name] = int(code)
        elif line.startswith(f"{MARK} "):
            lines = sections.setdefault(line.removeprefix(f"{MARK} "), [])
        else:
            lines.append(line)
    answers = {k.removeprefix("answer "): "\n".join(v) for k, v in sections.items() if k.startswith("answer ")}
    packages = frozenset(line.split()[-1] for line in sections.get("packages", ()) if line.startswith("ii"))
    files = _files(sections.get("sums", ()), sections.get("modes", ()))
    pending = frozenset(sections.get("pending", ()))
    units = sections.get("units", ())
    return Found(packages, files, _units(units), commands, answers, pending, "NeedDaemonReload=yes" in units)


def _files(sums: Sequence[str], modes: Sequence[str]) -> dict[str, str]:
    of = {path: digest for digest, path in (line.split("  ", 1) for line in sums)}
    rights = {path: f"{mode} {owner}" for mode, owner, path in (line.split(" ", 2) for line in modes)}
    return {path: f"{digest} {rights[path]}" for path, digest in of.items() if path in rights}


def _units(lines: Sequence[str]) -> dict[str, str]:
    units: dict[str, str] = {}
    for block in "\n".join(lines).split("\n\n"):
        it = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for name in it.get("Names", "").split():
            units[name] = f"{it['ActiveState']} {it['UnitFileState']}"
    return units


def show_script(files: Sequence[File]) -> str:
    """Bash that prints mode, owner and content of each file, of a secret one only the hash; nothing if missing."""
    lines = ["exec 2>/dev/null"]
    for file in files:
        path, content = shlex.quote(file.path), "sha256sum" if file.secret else "base64 -w 0"
        lines.append(f"echo {MARK}; stat -c '%a %U:%G' {path}; {content} < {path}; echo")
    return "\n".join([*lines, "exit 0"])


def read_show(output: str) -> list[tuple[str, str]]:
    """What show_script printed: (mode and owner, content) of each file, ('', '') for one that is missing."""
    texts = (text.split("\n") for text in output.split(f"{MARK}\n")[1:])
    return [(lines[0], lines[1].removesuffix("  -")) for lines in texts]


def apply_script(difference: Difference) -> str:
    """Bash that makes the changes, in order, and stops at the first that fails.

    It is one compound command: bash reads it whole before it starts, so half a script changes nothing,
    and no command takes the rest of it for its own input.
    """
    lines = ["{", "set -e", f"if grep -qsx '# weblab' {POLICY}; then rm -f {POLICY}; fi"]
    lines += _install(difference.packages)
    lines += staged_files.stage(difference.files)
    lines += _remember((*difference.reactions, *difference.later))
    lines += staged_files.place(difference.files)
    lines += _enable(difference.starts) or _reload(difference.reload)
    lines += _react(difference.reactions)
    lines += _start(difference.starts)
    for command in difference.commands:
        lines += [] if command.in_turn else [step(command.name), command.do]
    return "\n".join([*lines, "} </dev/null", ""])


def _install(packages: Sequence[str]) -> list[str]:
    if not packages:
        return []
    names = shlex.join(packages)
    # --fix-broken: after an interrupted installation, what these packages need may be missing
    options = f"-o DPkg::Lock::Timeout={LOCK_TIMEOUT_S} -o Dpkg::Options::=--force-confold"
    install = f"apt-get -q -y {options} --fix-broken --no-install-recommends install {names}"
    return [
        "export DEBIAN_FRONTEND=noninteractive",
        PATIENTLY % (LOCK_TIMEOUT_S, LOCK_HELD),
        # services start when their configuration is in place, not with the package's own
        f"printf '#!/bin/sh\\n# weblab\\nexit 101\\n' > {POLICY}; chmod 755 {POLICY}",
        f"trap 'rm -f {POLICY}' EXIT",
        step("configure what an interrupted installation left"),
        f"patiently dpkg --force-confold --configure -a || [ $? != {LOCK_HELD} ]",
        step(f"install {names}"),
        f"if ! {install}; then",
        step("refresh the package lists"),
        "patiently apt-get -q update",
        install,
        "fi",
        f"rm -f {POLICY}; trap - EXIT",
    ]


def _marker(unit: str) -> str:
    return f"{PENDING}/{shlex.quote(unit)}"


def _remember(units: Sequence[Unit]) -> list[str]:
    """Whatever happens once the files are in place, the next probe sees who has yet to react to them."""
    markers = " ".join(_marker(unit.name) for unit in units)
    return [f"mkdir -p {PENDING}", f"touch {markers}"] if units else []


def _reload(wanted: bool) -> list[str]:
    return [step("systemctl daemon-reload"), "systemctl daemon-reload"] if wanted else []


def _enable(units: Sequence[str]) -> list[str]:
    """All at once, for systemd reads all its files anew after it, as after a daemon-reload.

    To tell scripts of SysV, which these units replace, takes Perl twice and two more times of reading for each.
    """
    names = shlex.join(units)
    enable = f"SYSTEMCTL_SKIP_SYSV=1 timeout {START_S} systemctl enable {names}"
    return [step(f"enable {names}"), enable] if units else []


def _start(units: Sequence[str]) -> list[str]:
    """All at once: systemd knows who waits for whom."""
    names, markers = shlex.join(units), " ".join(_marker(unit) for unit in units)
    start = f"timeout {START_S * len(units)} systemctl start {names}"
    return [step(f"start {names}"), start, f"rm -f {markers}"] if units else []


def _react(units: Sequence[Unit]) -> list[str]:
    lines = []
    for reaction in dict.fromkeys(unit.on_change for unit in units):
        reacting = [unit for unit in units if unit.on_change == reaction]
        waits = next((f"bash -c {shlex.quote(unit.waits)} waits " for unit in reacting if unit.waits), "")
        markers = " ".join(_marker(unit.name) for unit in reacting)
        lines += [step(reaction), f"timeout 120 {waits}{reaction}", f"rm -f {markers}"]
    return lines
