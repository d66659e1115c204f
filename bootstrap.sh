#!/usr/bin/env bash
# Installs what a bare Debian or Ubuntu machine lacks to run the lab, and makes .venv. Safe to run again.
#
#   ./bootstrap.sh                     list what is missing, ask once, install it, make .venv
#   ./bootstrap.sh --then COMMAND...   the same, then run COMMAND with the rights that the lab needs
#   ./bootstrap.sh --venv              make .venv only
#   ./bootstrap.sh --list-packages     print the package list and stop
#   YES=1 ./bootstrap.sh               do not ask
#
# Exit codes: 0 done, 2 wrong option, 3 something is missing or failed (it says what to do), 130 interrupted.
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

# ---------------------------------------------------------------- what the user sees

say() { printf '%5ds  bootstrap  %s\n' "$SECONDS" "$1"; }

# die WHAT NEXT [EVIDENCE]: what happened, what was seen, what to do next.
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
    # The sleep outlives this loop when it is stopped: it must not hold the caller's pipe open.
    while sleep "$SAY_EVERY_S" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        say "$what: $((SECONDS - started)) s, $(last_lines 1)"
    done
}

stop_saying() {
    [[ -z $TALKER ]] || kill "$TALKER" 2>/dev/null || true
    wait "$TALKER" 2>/dev/null || true
    TALKER=""
}

# step WHAT NEXT COMMAND...: run one command into the log, say how long it took, explain a failure.
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
        die "$what: failed" "$next" "\$ $shown"$'\n'"exit $code, whole log: $PWD/$LOG"$'\n'"$(last_lines "$LAST_LINES")"
    fi
    say "$what: done in $((SECONDS - started)) s"
}

interrupted() {
    printf '\nbootstrap: interrupted; what was installed stays\nnext: run it again, it goes on where it stopped\n' >&2
    exit 130
}

leave() {
    stop_saying
    forget_policy
}

# Two at once would make the same .venv. Where there is no flock (macOS), they must not be started together.
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
    die "no Python of 3.11 or newer with its venv module" "install one (Debian, Ubuntu: apt-get install python3-venv)"
}

# What .venv was made from; a copied or half-made one, or one whose Python is gone, does not match.
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

# ---------------------------------------------------------------- all of it

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' bootstrap.sh >&2
    exit 2
}

run_with_rights() {
    if needs_root_here; then
        say "no systemd here: the lab runs as root, later commands too: sudo .venv/bin/invoke ..."
        become_root
        as_root "$@"
        exit
    fi
    # A group joined a moment ago is not this shell's yet.
    if lacks_libvirt_group_here; then
        exec sg libvirt -c "$(printf '%q ' "$@")"
    fi
    exec "$@"
}

prepare() {
    mkdir -p -m 700 .lab # closed to other users: they could hold the lock
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
