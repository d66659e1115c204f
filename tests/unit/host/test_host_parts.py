"""What the private hypervisor reads: processes, libvirt's answers, firewall rules, resolver, uploads."""

import json
import os
import re
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from host import processes
from host.ownership import inventory, uploads
from host.private import firewall, link, namespace, resolver
from lab import process
from lab.errors import InfrastructureBroken
from lab.process import Finished

CASES = Path(__file__).parents[1] / "cases/host"
REAL = "nameserver 192.0.2.1\n"


def test_a_process_started_when_the_kernel_says_whatever_its_name() -> None:
    """Brackets and spaces in the name do not shift the fields."""
    stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 193 0 0 0 1 2 0 0 20 0 1 0 222856 67000 900"
    assert processes.start_ticks(stat) == 222856


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        (("/usr/bin/ruby", "/usr/bin/vagrant", "up", "--provider", "libvirt"), True),
        (("/opt/vagrant/bin/vagrant", "destroy", "-f"), True),
        (("/usr/bin/ruby", "/usr/bin/vagrant", "ssh", "web1"), False),
        (("less", "vagrant"), False),
        (("vim", "up"), False),
    ],
)
def test_a_shell_into_a_machine_is_no_orphan(command: tuple[str, ...], changes: bool) -> None:
    """Only a Vagrant that changes machines is ended."""
    assert processes.changes_machines(command) == changes


def test_virsh_tables_are_read_by_row() -> None:
    """Without headings, for any column width."""
    rows = inventory.parse_table((CASES / "virsh-list").read_text())
    assert rows == [["3", "weblab_web1", "running"], ["-", "other", "shut", "off"], ["-", "weblab_web2", "shut", "off"]]


def test_a_domain_tells_who_made_it() -> None:
    """The folder of its Vagrantfile, its id and its disks; an empty drive is no disk."""
    domain = inventory.parse_domain((CASES / "domain.xml").read_text(), running=True)
    assert domain.name == "weblab_web1"
    assert domain.checkout == Path("/home/ada/webinfra")
    assert domain.uuid == "ac2f1d6e-5e0b-4d22-9f38-5d2b7f0f9a11"
    assert domain.disks == (Path("/var/lib/libvirt/images/weblab_web1.img"),)
    assert domain.networks == ("weblab",)


def test_a_network_tells_its_bridge_and_range() -> None:
    """As libvirt prints it."""
    network = inventory.parse_network((CASES / "network.xml").read_text())
    assert (network.name, network.bridge, network.range) == ("weblab", "virbr1", IPv4Network("192.168.56.0/24"))


def test_where_libvirt_is_silent_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A VirtualBox host has a lab but no libvirt."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert inventory.take() == inventory.Inventory()


def test_our_rules_are_recognised_in_iptables_own_words() -> None:
    """iptables lists connection states in another order than they were given."""
    listing = (CASES / "forward-rules").read_text().splitlines()[1:]
    specs = [rule.spec for rule in namespace.FIRST_INSIDE]
    assert firewall.are_first(specs, listing)
    assert not firewall.are_first(list(reversed(specs)), listing)
    assert not firewall.are_first(specs, ["-A FORWARD -j REJECT", *listing])


@pytest.mark.parametrize(
    ("used", "free"),
    [
        ([], "10.200.0.0/30"),
        (["192.168.56.0/24", "10.200.0.2/32"], "172.31.255.252/30"),
        (["10.0.0.0/8", "172.16.0.0/12"], "100.127.255.252/30"),
    ],
)
def test_the_way_in_avoids_networks_in_use(used: list[str], free: str) -> None:
    """The first small network that overlaps nothing."""
    assert link.free([IPv4Network(network) for network in used]) == IPv4Network(free)


def test_no_free_way_in_is_named() -> None:
    """The error lists all candidates and all networks in use."""
    with pytest.raises(InfrastructureBroken, match=re.escape("10.200.0.0/30, 172.31.255.252/30, 100.127.255.252/30")):
        link.free([IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("100.64.0.0/10")])


def test_a_vpn_that_takes_everything_leaves_a_way_in() -> None:
    """OpenVPN sets the default route as two halves; each candidate overlaps one of them."""
    routes = [{"dst": "default"}, {"dst": "0.0.0.0/1"}, {"dst": "128.0.0.0/1"}, {"dst": "10.8.0.0/24"}]
    assert link.in_use(json.dumps(routes)) == [IPv4Network("10.8.0.0/24")]


DOCKERS = "-P FORWARD DROP\n-A FORWARD -j DOCKER-FORWARD\n"


QUIET = "-P FORWARD ACCEPT\n"
CHAIN = '{{"nftables": [{{"metainfo": {{}}}}, {{"chain": {{"table": "{}", "name": "c", "hook": "{}"}}}}]}}'
IPTABLES, HOST, PODMANS = (CHAIN.format(*it) for it in (("nat", "postrouting"), ("f", "input"), ("nv", "postrouting")))


@pytest.mark.parametrize(
    ("rules", "chains", "left"),
    [(QUIET, "", "0"), (DOCKERS, "", "1"), (QUIET, IPTABLES, "0"), (QUIET, HOST, "0"), (QUIET, PODMANS, "1")],
    ids=["nobody", "Docker", "iptables without rules", "a firewall for the host", "Podman, with nftables"],
)
def test_forwarding_ends_with_the_lab_unless_somebody_else_forwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rules: str, chains: str, left: str
) -> None:
    """A Docker that started after the lab found forwarding on and did not set it, but needs it."""
    switch, before = tmp_path / "ip_forward", tmp_path / "before"
    switch.write_text("1")
    before.write_text("0")
    monkeypatch.setattr(namespace, "FORWARDING", switch)
    monkeypatch.setattr(namespace, "FORWARDING_BEFORE", before)
    monkeypatch.setattr(namespace, "FILE", tmp_path / "none")
    monkeypatch.setattr(resolver, "INSIDE", tmp_path / "absent/resolv.conf")
    monkeypatch.setattr(process, "run", lambda argv, **_: Finished(0, {"-S": rules, "list": chains}.get(argv[-2], "")))
    monkeypatch.setattr(link, "network", lambda: None)
    namespace.remove()
    assert (switch.read_text(), before.exists()) == (left, False)


@pytest.mark.parametrize(
    ("system", "upstream", "expected"),
    [
        ("nameserver 192.0.2.53\n", "", None),
        ("# systemd\nnameserver 127.0.0.53\n", f"{REAL}nameserver ::1\n", REAL),
        ("nameserver 127.0.0.1\n", "", ""),
        ("", "", None),
    ],
)
def test_a_resolver_on_loopback_is_replaced_inside(system: str, upstream: str, expected: str | None) -> None:
    """The namespace has its own loopback, where no resolver listens."""
    assert resolver.for_namespace(system, upstream) == expected


def test_a_cut_off_upload_is_found_by_its_size(tmp_path: Path) -> None:
    """Only the lab's own boxes and the box of lab.yml are checked."""
    for folder in ("weblab-VAGRANTSLASH-debian-13-0a1b2c", "bento-VAGRANTSLASH-ubuntu-24.04", "other-VAGRANTSLASH-box"):
        image = tmp_path / "boxes" / folder / "1.0/libvirt/box.img"
        image.parent.mkdir(parents=True)
        image.write_bytes(b"x" * 100)
        (tmp_path / f"{folder}_vagrant_box_image_1.0_box.img").write_bytes(b"x" * 99)
    found = list(uploads.unfinished(tmp_path / "boxes", tmp_path, "bento/ubuntu-24.04"))
    assert found == [
        "bento-VAGRANTSLASH-ubuntu-24.04_vagrant_box_image_1.0_box.img",
        "weblab-VAGRANTSLASH-debian-13-0a1b2c_vagrant_box_image_1.0_box.img",
    ]


def test_a_whole_upload_is_left_alone(tmp_path: Path) -> None:
    """It is as large as its box image, or larger."""
    image = tmp_path / "boxes/weblab-VAGRANTSLASH-debian-13/1.0/amd64/libvirt/box.img"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x" * 100)
    (tmp_path / "weblab-VAGRANTSLASH-debian-13_vagrant_box_image_1.0_box.img").write_bytes(b"x" * 100)
    assert list(uploads.unfinished(tmp_path / "boxes", tmp_path, "")) == []


def test_a_box_added_from_a_file_is_known_by_its_time(tmp_path: Path) -> None:
    """Vagrant gives it version 0, and the plugin appends the modification time of the image."""
    image = tmp_path / "boxes/weblab-VAGRANTSLASH-debian-13/0/libvirt/box.img"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x" * 100)
    os.utime(image, (1795400486.9, 1795400486.9))
    volume = tmp_path / "weblab-VAGRANTSLASH-debian-13_vagrant_box_image_0_1795400486_box.img"
    volume.write_bytes(b"x" * 99)
    assert list(uploads.unfinished(tmp_path / "boxes", tmp_path, "")) == [volume.name]


@pytest.mark.parametrize("there", [True, False])
def test_bridges_forward_at_once_where_a_namespace_has_them(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, inside; the bridges of this machine are others' business."""
    done: list[list[str]] = []

    def run(argv: list[str], **_: object) -> Finished:
        done.append(argv)
        return Finished(0, '[{"ifname": "virbr1"}, {"ifname": "virbr2"}]' if "show" in argv else "")

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(namespace, "exists", lambda: there)
    namespace.forward_at_once()
    assert all(argv[:4] == ["ip", "netns", "exec", "weblab"] for argv in done)
    words = [" ".join(argv[4:]) for argv in done[1:]]
    assert words == [f"ip link set virbr{it} type bridge stp_state 0" for it in (1, 2) if there]
