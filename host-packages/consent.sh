# shellcheck shell=bash
# Sourced by bootstrap.sh: asks for consent, and adds the user to the group of the system's libvirtd.

in_libvirt_group() { id -nG "$@" | tr ' ' '\n' | grep -x libvirt >/dev/null; }

lacks_libvirt_group_here() { ((EUID != 0)) && in_libvirt_group "$(id -un)" && ! in_libvirt_group; }

# Only the system's libvirtd needs the group; the lab's private libvirtd, without systemd, runs as root.
lacks_libvirt_group() { ((EUID != 0)) && has_systemd && ! in_libvirt_group "$(id -un)"; }

join_libvirt_group() {
    lacks_libvirt_group || return 0
    become_root
    step "adding $(id -un) to the group libvirt" "read the log" as_root usermod -aG libvirt "$(id -un)"
    say "this shell is not in the group yet: log in again before you use the lab from a plain shell"
}

# ---------------------------------------------------------------- asking

# agree QUESTION OTHERWISE: continue if the answer is yes, with YES=1, and without a terminal; otherwise exit.
agree() {
    local answer
    [[ ${YES:-} != 1 ]] || return 0
    if [[ ! -t 0 ]]; then
        say "no terminal for the question: continuing"
        return
    fi
    read -rp "$1 [y/N] " answer || true
    [[ $answer == [yY]* ]] || die "nothing was changed" "$2"
}

say_group() { say "$(id -un) joins the group libvirt: its members control all machines of the system's libvirtd"; }

agree_to_join() {
    lacks_libvirt_group || return 0
    say_group
    agree "Do so?" "YES=1 ./bootstrap.sh, or run the lab as root"
}
