# shellcheck shell=bash
# Sourced by bootstrap.sh: examines the machine and installs packages.

LOCK_WAIT_S=300
APT_LOCKS=(/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock)
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK="written by the lab's bootstrap.sh"
APT=(as_root apt-get -q -o APT::Get::Remove=false -o "DPkg::Lock::Timeout=$LOCK_WAIT_S"
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)
AS_ROOT=()

# ---------------------------------------------------------------- the machine

os_release() { cat /etc/os-release 2>/dev/null || true; }

os_field() { os_release | sed -n "s/^$1=//p" | tr -d '"'; }

supported_system() {
    case "$(os_field ID) $(os_field VERSION_ID)" in
        "debian 12" | "debian 13" | "ubuntu 24.04" | "ubuntu 26.04") return 0 ;;
        *) return 1 ;;
    esac
}

has_systemd() { [[ -d /run/systemd/system ]]; }

# A libvirtd that the lab started itself does not count: the packages of the machine may be out of date.
private_hypervisor() { [[ -e /run/netns/weblab ]]; }

has_plugin() { vagrant plugin list 2>/dev/null | grep '^vagrant-libvirt ' >/dev/null; }

libvirt_works() {
    ! private_hypervisor && timeout 10 virsh -c qemu:///system version >/dev/null 2>&1 && has_plugin
}

provider_works() {
    vagrant --version >/dev/null 2>&1 || return 1
    VBoxManage --version >/dev/null 2>&1 || libvirt_works
}

portable_steps() {
    cat <<END
1. install Vagrant ($VENDOR_PAGE) and VirtualBox, or libvirt with the plugin vagrant-libvirt
2. install Python 3.11 or newer
3. python3 -m venv .venv
4. .venv/bin/python -m pip install --require-hashes -r requirements.lock
5. .venv/bin/python -m pip install --no-deps --no-build-isolation -e .
6. .venv/bin/invoke lab.up
END
}

# ---------------------------------------------------------------- which packages

listed_packages() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' host-packages/debian.txt; }

installed_packages() {
    # shellcheck disable=SC2016  # the dollars are dpkg-query's own
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p'
}

sorted() { LC_ALL=C sort -u; }

missing_packages() { LC_ALL=C comm -23 <(listed_packages | sorted) <(installed_packages | sorted); }

has_candidate() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep '^  Candidate: [^(]' >/dev/null; }

# Whether apt's lists were ever fetched: those of a fresh image are empty.
knows_packages() { compgen -G "/var/lib/apt/lists/*_Packages*" >/dev/null; }

# If Vagrant is from its vendor, leave out the distribution's Vagrant and plugin: they do not work together.
obtainable_packages() {
    if command -v vagrant >/dev/null && ! has_candidate vagrant-libvirt; then
        missing_packages | sed '/^vagrant/d'
    else
        missing_packages
    fi
}

no_vagrant_package() {
    die "$(os_field PRETTY_NAME) has no vagrant package" \
        "install Vagrant from its vendor, $VENDOR_PAGE, then run this again (and then: vagrant plugin install vagrant-libvirt)"
}

refuse_without_vagrant() { command -v vagrant >/dev/null || has_candidate vagrant || no_vagrant_package; }

require_plugin() {
    has_plugin || die "Vagrant has no libvirt plugin" \
        "apt-get install build-essential pkg-config libvirt-dev; vagrant plugin install vagrant-libvirt; then run this again"
}

# ---------------------------------------------------------------- root, and apt's lock

no_rights() {
    die "$1" "run it as root: su -c 'YES=1 $PWD/bootstrap.sh'; or install sudo and allow this user to use it"
}

refuse_without_rights() {
    ((EUID == 0)) || command -v sudo >/dev/null ||
        no_rights "packages are missing, but this is not root and sudo is not installed"
}

become_root() {
    ((EUID != 0)) || return 0
    if [[ -t 0 ]]; then
        sudo -v || no_rights "sudo refused"
    else
        sudo -n true 2>/dev/null || no_rights "sudo needs a password, but there is no terminal"
    fi
    AS_ROOT=(sudo)
}

# sudo clears the environment, which may name a proxy; after `su`, the PATH may lack folders that dpkg needs.
as_root() {
    local name environment=(DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8)
    environment+=("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin")
    for name in http_proxy https_proxy no_proxy CI YES; do
        [[ -z ${!name:-} ]] || environment+=("$name=${!name}")
    done
    # 9>&-: a service that a package starts must not inherit bootstrap.sh's lock.
    "${AS_ROOT[@]}" env "${environment[@]}" "$@" 9>&-
}

# The process that holds a lock of apt or dpkg: "apt-get (process 4711, lock ...)", or nothing.
lock_holder() {
    local file inode pid where
    for file in "${APT_LOCKS[@]}"; do
        inode=$(stat -c %i "$file" 2>/dev/null) || continue
        while read -r _ _ _ _ pid where _; do
            [[ $where == *":$inode" && -r /proc/$pid/comm ]] || continue
            printf '%s (process %s, lock %s)' "$(<"/proc/$pid/comm")" "$pid" "$file"
            return
        done </proc/locks
    done
}

wait_for_apt() {
    local holder started=$SECONDS reported_at=-$SAY_EVERY_S
    while holder=$(lock_holder) && [[ -n $holder ]]; do
        ((SECONDS - started < LOCK_WAIT_S)) ||
            die "for $LOCK_WAIT_S s apt has been in use by $holder" "wait until it has ended, then run this again"
        if ((SECONDS - reported_at >= SAY_EVERY_S)); then
            say "apt is in use by $holder: waiting, $((SECONDS - started)) of $LOCK_WAIT_S s"
            reported_at=$SECONDS
        fi
        sleep 1
    done
}

# ---------------------------------------------------------------- installing

agree_to_install() {
    say "no working Vagrant provider here; apt will install these $# packages and their dependencies:"
    printf '%s\n' "$@" | paste -sd ' ' | fold -s -w 90 | sed 's/^/                  /'
    if lacks_libvirt_group; then say_group; fi
    agree "Do so?" "YES=1 ./bootstrap.sh, or install a Vagrant provider yourself"
}

# Without systemd, packages would start services through their old init scripts; the lab starts what it needs.
forbid_services() {
    has_systemd || [[ -e $POLICY ]] ||
        as_root sh -c "printf '#!/bin/sh\n# %s\nexit 101\n' \"$POLICY_MARK\" >$POLICY && chmod 755 $POLICY"
}

# Also removes the policy of an interrupted run.
forget_policy() {
    if grep "$POLICY_MARK" "$POLICY" >/dev/null 2>&1; then
        as_root rm -f "$POLICY"
    fi
}

# A package whose unpacking was interrupted cannot be configured: apt fetches it again.
finish_interrupted() {
    as_root dpkg --configure -a || "${APT[@]}" install -y --fix-broken --no-install-recommends
}

# Without systemd the lab starts its own libvirtd, which only root can do.
needs_root_here() { ((EUID != 0)) && ! has_systemd && ! provider_works; }

apt_install_all() {
    local network="check the network, http_proxy and apt's sources, then run this again"
    refuse_without_rights
    agree_to_install "$@"
    become_root
    wait_for_apt
    forbid_services
    step "refreshing the package lists" "$network" "${APT[@]}" update
    # An unreachable mirror is only a warning of apt-get.
    knows_packages || die "apt could not fetch the package lists" "$network" "$(last_lines "$LAST_LINES")"
    refuse_without_vagrant
    wait_for_apt
    if [[ -n $(dpkg --audit 2>/dev/null) ]]; then
        step "finishing an interrupted installation" "read the log" finish_interrupted
    fi
    step "installing $# packages" "$network" "${APT[@]}" install -y --no-install-recommends "$@"
    forget_policy
    join_libvirt_group
}

install_packages() {
    local missing
    # If apt has its lists already, refuse before the question when the installation cannot succeed.
    if knows_packages; then refuse_without_vagrant; fi
    mapfile -t missing < <(obtainable_packages)
    ((${#missing[@]} == 0)) || apt_install_all "${missing[@]}"
    require_plugin
}

prepare_machine() {
    export VAGRANT_CHECKPOINT_DISABLE=1
    if command -v dpkg-query >/dev/null && [[ -z $(missing_packages) ]]; then
        say "packages: nothing is missing"
        agree_to_join
        join_libvirt_group
    elif provider_works; then
        say "using the Vagrant provider that is installed here"
    elif supported_system; then
        install_packages
    else
        die "$(os_field PRETTY_NAME): packages are known for Debian 12, 13 and Ubuntu 24.04, 26.04 only" \
            "install a Vagrant provider as above, then run this again" "$(portable_steps)"
    fi
}
