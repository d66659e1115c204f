"""Other projects on the hosting machine: found before anything is changed, and left alone."""

from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from host import addresses, preflight, prepare, provider
from host.addresses import Shown
from host.ownership import inventory, leftovers, uninstall_hints
from host.ownership.inventory import Inventory, Network
from host.ownership.leftovers import Checkouts
from host.private import hypervisor
from host.provider import Provider
from lab import topology
from lab.errors import InfrastructureBroken
from lab.nodes import lifecycle, vm_power
from lab.state import choices
from lab.state.choices import Choices

LAB = topology.load()
OFFICE = '[{"ifname": "wlan0", "addr_info": [{"local": "192.168.56.9", "prefixlen": 24}]}]'
QUIET = '[{"ifname": "eth0", "addr_info": [{"local": "192.0.2.2", "prefixlen": 24}]}]'
DOMAIN = """
<domain><name>{name}</name><uuid>u</uuid><description>{description}</description><devices>
  <disk><source file='/images/{name}.img'/></disk>
  <interface type='network'><source network='{network}'/></interface>
</devices></domain>"""
VOLUME = "<volume><backingStore><path>{backing}</path></backingStore></volume>"
BOX = "/images/bento-VAGRANTSLASH-ubuntu-24.04_vagrant_box_image_1.img"


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """A machine without libvirtd, and a list of what the lab does to it."""
    done: list[object] = []
    monkeypatch.setattr(vm_power, "FOUND", tmp_path / ".lab/vagrant.yml")
    monkeypatch.setattr(choices, "load", Choices)
    monkeypatch.setattr(provider, "choose", lambda wanted: Provider("libvirt", "qemu", True, "a private one"))
    monkeypatch.setattr(inventory, "take", Inventory)
    monkeypatch.setattr(hypervisor, "start", lambda networks: done.append([str(it) for it in networks]))
    monkeypatch.setattr(leftovers, "take_over", lambda *args: done.append("take over"))
    return done


def test_a_clash_is_refused_before_a_route_is_set(touched: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's routes would cut this machine off from its own network."""
    monkeypatch.setattr(addresses, "ask", lambda: Shown(OFFICE, "[]"))
    with pytest.raises(
        InfrastructureBroken, match=r"192\.168\.56\.0/24 is used by interface wlan0 .*change `network:`"
    ):
        prepare.prepare(LAB)
    assert touched == []


def test_a_lab_is_removed_without_routes_into_a_network_of_others(
    touched: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another project started to use the range later: the lab can still be removed."""
    monkeypatch.setattr(addresses, "ask", lambda: Shown(OFFICE, "[]"))
    monkeypatch.setattr(lifecycle, "destroy", lambda: touched.append("destroy"))
    monkeypatch.setattr(leftovers, "verify_gone", list)
    prepare.remove(LAB, host=False)
    assert touched[:3] == [[str(LAB.management)], "take over", "destroy"]


def test_vagrants_own_network_is_nobodys_clash() -> None:
    """Every user of vagrant-libvirt has that network; the lab's management network has another range."""
    assert not LAB.management.overlaps(IPv4Network("192.168.121.0/24"))


def libvirt(
    monkeypatch: pytest.MonkeyPatch,
    domains: dict[str, tuple[str, str]],
    volumes: dict[str, str],
    networks: Sequence[str] = (),
) -> Inventory:
    """What the lab claims as its own: domains by description and network, volumes by backing file."""
    rows = "\n".join(f" - {name} shut off" for name in domains)
    answers = {"list --all": rows, "pool-list": " default active yes", "pool-refresh default": ""}
    answers["net-list --all"] = "\n".join(f" {name} active no no" for name in networks)
    answers |= {f"net-dumpxml {name}": f"<network><name>{name}</name></network>" for name in networks}
    answers["vol-list default"] = "\n".join(f" {name} /images/{name}" for name in volumes)
    for name, (description, network) in domains.items():
        answers[f"dumpxml --inactive {name}"] = DOMAIN.format(name=name, description=description, network=network)
    for name, backing in volumes.items():
        answers[f"vol-dumpxml {name} --pool default"] = VOLUME.format(backing=backing)
    headed = ("list", "pool-list", "vol-list", "net-list")

    def virsh(*words: str) -> str:
        return ("\n---\n" if words[0] in headed else "") + answers[" ".join(words)]

    monkeypatch.setattr(inventory, "virsh", virsh)
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("host.private.daemons.answers", lambda: True)
    return inventory.take()


def test_a_name_alone_makes_nothing_the_labs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A project in a folder `weblab` has machines of that name too; a lab's incomplete machine has no network yet."""
    (tmp_path / "lab.yml").touch()
    source = "Source: {}/Vagrantfile"
    domains = {
        "weblab_web1": (source.format("/gone"), "weblab-management"),
        "weblab_web2": (source.format(tmp_path), ""),
        "weblab_default": (source.format("/home/ada/weblab"), "vagrant-libvirt"),
        "weblab_byhand": ("", "default"),
    }
    volumes = {
        "weblab_web1.img": BOX,
        "weblab_lb1.img": BOX,
        "weblab_default.img": BOX,
        "weblab_backup.qcow2": "",
        "weblab_old.img": BOX,
        "weblab_old.snap": "/images/weblab_old.img",
        "other.img": BOX,
    }
    present = libvirt(monkeypatch, domains, volumes)
    assert [it.name for it in present.domains] == ["weblab_web1", "weblab_web2"]
    assert [name for name, _ in present.volumes] == ["weblab_web1.img", "weblab_lb1.img"]
    assert present.foreign == ("weblab_default", "weblab_byhand")


def test_a_network_that_somebody_elses_machine_uses_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of that name, or the lab's own with a user's machine attached: neither is removed."""
    present = libvirt(monkeypatch, {"mine": ("", "weblab")}, {}, ["weblab", "weblab-management"])
    known = Checkouts(Path("/ours"), {}, [], None, busy=False)
    assert [it.name for it in leftovers.judge(present, known).swept] == ["weblab-management"]
    assert leftovers.verify_gone() == ["network weblab-management"]


def test_somebody_elses_machine_with_a_nodes_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vagrant would fail at that machine after it has created others."""
    present = libvirt(monkeypatch, {"weblab_web1": ("", "default"), "weblab_else": ("", "default")}, {})
    (finding,) = preflight.names(LAB, present)
    assert not finding.ok and "weblab_web1" in finding.text


def test_a_network_made_with_another_range_is_named_with_the_way_out() -> None:
    """libvirt keeps the range while machines use the network, and Vagrant refuses to start them."""
    made = Network("weblab-management", "virbr2", IPv4Network("192.168.121.0/24"))
    unchanged = Network("weblab", "virbr1", LAB.network)
    (finding,) = preflight.ranges(LAB, Inventory(networks=(made, unchanged)))
    assert (finding.ok, finding.fix) == (False, preflight.FIX_OTHER_RANGE)
    assert all(word in finding.text for word in ("weblab-management", "192.168.121.0/24", str(LAB.management)))


def test_what_stays_is_listed_with_its_size_and_what_removes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Boxes, images, logs, state; missing ones are not listed."""
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    for name in ("IMAGES", "KERNELS", "LOGS", "STATE"):
        monkeypatch.setattr(uninstall_hints, name, tmp_path / name)
    files = ["vagrant/boxes/weblab-VAGRANTSLASH-a/0/box.img", "LOGS/weblab_web1.log", "LOGS/other.log", "runs/r/x"]
    downloaded = ["vagrant/boxes/org-VAGRANTSLASH-os", "IMAGES/org-VAGRANTSLASH-os_vagrant_box_image_1_box.img"]
    for file in (*files, f"{downloaded[0]}/1/box.img", downloaded[1], "vagrant/boxes/org-VAGRANTSLASH-else/1/box.img"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"x" * 3 * 2**20)
    boxes, logs, runs = (
        tmp_path / it for it in ("vagrant/boxes/weblab-VAGRANTSLASH-a", "LOGS/weblab_web1.log", "runs")
    )
    others = [f"{it}, 3 MB: rm -r {it} (if nothing else uses org/os)" for it in map(tmp_path.joinpath, downloaded)]
    ours = [f"{path}, 3 MB: rm -r {path}" for path in (boxes, logs, runs)]
    assert uninstall_hints.listed(tmp_path, "org/os")[:-3] == [*ours, *others]
    assert uninstall_hints.listed(tmp_path, "weblab/a")[:-3] == ours
