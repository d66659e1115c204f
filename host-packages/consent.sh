# shellcheck shell=bash
# The part of bootstrap.sh that asks, and the group whose members use the system's libvirtd; sourced by it.

in_libvirt_group() { id -nG "$@" | tr ' ' '\n' | grep -x libvirt >/dev/null; }

lacks_libvirt_group_here() { ((EUID != 0)) && in_libvirt_group "$(id -un)" && ! in_libvirt_group; }

# The system's libvirtd lets its group in; the private one of a machine without systemd is the lab's own matter.
lacks_libvirt_group() { ((EUID != 0)) && has_systemd && ! in_libvirt_group "$(id -un)"; }

join_libvirt_group() {
    lacks_libvirt_group || return 0
    become_root
    step "adding $(id -un) to the group libvirt" "read the log" as_root usermod -aG libvirt "$(id -un)"
    say "this shell does not know it yet: log in again before you use the lab from a plain shell"
}

# ---------------------------------------------------------------- asking

# agree QUESTION OTHERWISE: go on when the answer is yes, YES=1, or nobody is there to ask.
agree() {
    local answer
    [[ ${YES:-} != 1 ]] || return 0
    if [[ ! -t 0 ]]; then
        say "no terminal to ask on: going on"
        return
    fi
    read -rp "$1 [y/N] " answer || true
    [[ $answer == [yY]* ]] || die "nothing was changed" "$2"
}

say_group() { say "$(id -un) joins the group libvirt, whose members rule all machines of the system's libvirtd"; }

agree_to_join() {
    lacks_libvirt_group || return 0
    say_group
    agree "Do so?" "YES=1 ./bootstrap.sh, or run the lab as root"
}
