"""Role base, for every node: its name, its address on the lab network, the names of the other nodes."""

from lab.desired.state import Command, Desired, File, Unit
from lab.desired.target import Target

NETWORK = "/etc/systemd/network/10-weblab.network"
HOSTS = "/etc/hosts"
SSH_SETTINGS = "/etc/ssh/sshd_config.d"
KEYS_ONLY = "00-weblab.conf"  # the first value wins, so the name sorts before 50-cloud-init.conf
RESTART = "systemctl restart systemd-networkd"  # networkctl needs a message bus, which a small box lacks


def desired(target: Target) -> Desired:
    """The desired state of a node with the role base."""
    name, address = target.node.name, f"{target.node.ip}/{target.lab.network.prefixlen}"
    has_address = f"ip -4 -o address show | grep -qF ' {address} '"
    return Desired(
        files=(
            File(NETWORK, target.render("lab.network.j2")),
            File(HOSTS, target.render("hosts.j2")),
        ),
        units=(Unit("systemd-networkd.service", watches=(NETWORK,), on_change=RESTART),),
        commands=(
            Command(
                "hostname",
                f'[ "$(cat /etc/hostname)" = {name} ] && [ "$(uname -n)" = {name} ]',
                _rename(name),
            ),
            Command("lab address", has_address, _take_address(has_address)),
            Command("ssh by key only", _takes_keys_only(), _take_keys_only()),
        ),
        questions={"clock": "date +%s.%N"},
    )


def _rename(name: str) -> str:
    return f"echo {name} > /etc/hostname && hostname {name}"


def _take_address(has_address: str) -> str:
    """Restart networkd and wait until the node has the address, 10 s at most."""
    return f"{has_address} || {RESTART}; for _ in $(seq 100); do {has_address} && break; sleep 0.1; done; {has_address}"


def _takes_keys_only() -> str:
    """Whether sshd refuses passwords: all boxes of a catalogue accept the same well-known password."""
    first = "/^PasswordAuthentication /{p;q}"
    return f"sed -n '{first}' {SSH_SETTINGS}/*.conf | grep -q ' no$'"


def _take_keys_only() -> str:
    file = f"{SSH_SETTINGS}/{KEYS_ONLY}"
    text = r"PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    return f"printf '{text}' > {file} && sshd -t && systemctl reload ssh || {{ rm {file}; false; }}"
