#!/usr/bin/env bash
# Installs what a bare Debian or Ubuntu machine lacks to run the lab, and makes .venv. Safe to run again.
#
#   ./bootstrap.sh                     list what is missing, ask once, install it, make .venv
#   ./bootstrap.sh --then COMMAND...   the same, then run COMMAND as the user and group that the lab needs
#   ./bootstrap.sh --venv              make .venv only
#   ./bootstrap.sh --list-packages     print the package list and stop
#   YES=1 ./bootstrap.sh               do not ask
#
# Exit codes: 0 done, 2 wrong option, 3 something is missing or failed (the message has the next step), 130 interrupted.
set -euo pipefail

VENDOR_PAGE="https://developer.hashicorp.com/vagrant/install"
SAY_EVERY_S=10
LAST_LINES=10
RIG_BROKEN=3
LOG=.lab/bootstrap.log
TALKER=""

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=host-packages/consent.sh
source host-packages/consent.sh
# shellcheck source=host-packages/install.sh
source host-packages/install.sh

# ---------------------------------------------------------------- messages

say() { printf '%5ds  bootstrap  %s\n' "$SECONDS" "$1"; }

# die WHAT NEXT [EVIDENCE]: print what happened, the evidence and the next step; exit.
die() {
    {
        printf 'bootstrap: %s\n' "$1"
        [[ -z ${3:-} ]] || printf '%s\n' "$3" | sed 's/^/    /'
        printf 'next: %s\n' "$2"
    } >&2
    exit "$RIG_BROKEN"
}

last_lines() { tr '\r' '\n' <"$LOG" | sed '/^[[:space:]]*$/d' | tail -n "$1" | cut -c 1-160; }

keep_saying() {
    local what=$1 started=$SECONDS
    # When this loop is killed, its sleep still runs: without the redirection it would keep the caller's pipe open.
    while sleep "$SAY_EVERY_S" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        say "$what: $((SECONDS - started)) s, $(last_lines 1)"
    done
}

stop_saying() {
    [[ -z $TALKER ]] || kill "$TALKER" 2>/dev/null || true
    wait "$TALKER" 2>/dev/null || true
    TALKER=""
}

# step WHAT NEXT COMMAND...: run one command with its output in the log, report its duration, explain a failure.
step() {
    local what=$1 next=$2 started=$SECONDS code=0
    shift 2
    local shown="$*"
    shown=${shown#as_root }
    say "$what ..."
    printf '\n== %s\n$ %s\n' "$what" "$shown" >>"$LOG"
    keep_saying "$what" 9>&- &
    TALKER=$!
    ("$@") </dev/null >>"$LOG" 2>&1 || code=$?
    stop_saying
    if ((code)); then
        die "$what: failed" "$next" "\$ $shown"$'\n'"exit $code, full log: $PWD/$LOG"$'\n'"$(last_lines "$LAST_LINES")"
    fi
    say "$what: done in $((SECONDS - started)) s"
}

interrupted() {
    printf '\nbootstrap: interrupted; what is installed stays installed\nnext: run it again, it continues where it stopped\n' >&2
    exit 130
}

leave() {
    stop_saying
    forget_policy
}

# Two at once would write the same .venv. Without flock (macOS) the user must not start two.
one_at_a_time() {
    command -v flock >/dev/null || return 0
    exec 9>.lab/bootstrap.lock
    until flock -w "$SAY_EVERY_S" 9; do
        say "waiting for another bootstrap of this checkout: $SECONDS s"
    done
}

# ---------------------------------------------------------------- .venv

good_python() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local name
    for name in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if good_python "$name"; then
            printf '%s' "$name"
            return
        fi
    done
    die "no Python 3.11 or newer with the venv module" "install one (Debian, Ubuntu: apt-get install python3-venv)"
}

# Identifies what .venv was made from. A copied or incomplete .venv does not match, nor one whose Python was removed.
venv_key() { printf '%s %s %s' "$PWD" "$(cksum <requirements.lock)" "$(.venv/bin/python -V 2>/dev/null)"; }

project_key() { cksum <pyproject.toml; }

stamped() { [[ -f .venv/$1 && $(<".venv/$1") == "$2" ]]; }

make_venv() {
    local python pip=(.venv/bin/python -m pip --disable-pip-version-check install)
    local next="check the network and http_proxy, then run this again"
    if ! stamped packages.stamp "$(venv_key)"; then
        python=$(find_python)
        step "making .venv with $("$python" -V)" "read the log" "$python" -m venv --clear .venv
        step "installing the pinned Python packages" "$next" "${pip[@]}" --require-hashes -r requirements.lock
        venv_key >.venv/packages.stamp
    fi
    if ! stamped project.stamp "$(project_key)"; then
        step "linking the project into .venv" "read the log" "${pip[@]}" --no-deps --no-build-isolation -e .
        project_key >.venv/project.stamp
    fi
}

# ---------------------------------------------------------------- main

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' bootstrap.sh >&2
    exit 2
}

run_with_rights() {
    if needs_root_here; then
        say "no systemd here, so the lab runs as root; run later commands as root too: sudo .venv/bin/invoke ..."
        become_root
        as_root "$@"
        exit
    fi
    # This shell does not have a group that its user has only just joined.
    if lacks_libvirt_group_here; then
        exec sg libvirt -c "$(printf '%q ' "$@")"
    fi
    exec "$@"
}

prepare() {
    mkdir -p -m 700 .lab # not accessible to other users, who could hold the lock
    one_at_a_time
    : >"$LOG"
    trap interrupted INT
    trap leave EXIT
    [[ ${1:-} == --venv ]] || prepare_machine
    make_venv
    exec 9>&-
    [[ -n ${1:-} ]] || say "ready; next: make up (or .venv/bin/invoke lab.up)"
}

main() {
    case "${1:-}" in
        "" | --venv) prepare "$@" ;;
        --then)
            (($# > 1)) || usage
            prepare --then
            trap - INT EXIT
            run_with_rights "${@:2}"
            ;;
        --list-packages) listed_packages ;;
        *) usage ;;
    esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    main "$@"
fi
