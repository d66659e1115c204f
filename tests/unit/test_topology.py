"""lab.yml is refused whole, or becomes frozen data."""

from math import ceil
from pathlib import Path

import pytest

from host import preflight
from host.ownership.inventory import Inventory
from lab import topology
from lab.errors import BadInput

CASES = Path(__file__).parent / "cases" / "topology"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_mistake_is_named_at_once(case: Path) -> None:
    """Each wrong file gives exactly the text beside it."""
    with pytest.raises(BadInput) as caught:
        topology.load(case.with_suffix(".yml"))
    assert str(caught.value) + "\n" == case.read_text(encoding="utf-8")
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_yaml_is_told_with_its_line() -> None:
    """The parser's own place is kept."""
    with pytest.raises(BadInput, match=r"not-yaml\.yml is not YAML"):
        topology.load(CASES / "not-yaml.yml")


def test_a_file_of_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    """An editor of another time wrote a comment in it: no command may end with a traceback."""
    (tmp_path / "lab.yml").write_bytes("# a\n# Größe\n".encode("latin-1"))
    with pytest.raises(BadInput, match=r"lab\.yml is not UTF-8 text \(line 2\)"):
        topology.load(tmp_path / "lab.yml")


@pytest.mark.parametrize(("name", "what"), [("empty.yml", "empty.yml is empty"), ("absent.yml", "no absent.yml")])
def test_an_empty_or_absent_file_is_refused(name: str, what: str) -> None:
    """Nothing to read is a mistake, not an empty lab."""
    with pytest.raises(BadInput, match=what):
        topology.load(CASES / name)


@pytest.mark.parametrize("text", ["- site", "site"])
def test_a_file_without_settings_is_refused(tmp_path: Path, text: str) -> None:
    """It is told how one begins."""
    (tmp_path / "lab.yml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"lab\.yml must begin with settings like site:"):
        topology.load(tmp_path / "lab.yml")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without a mark", "with a byte order mark"])
def test_a_file_that_was_saved_on_windows_is_read(tmp_path: Path, mark: bytes) -> None:
    """Its lines end with a carriage return too, and its first setting may follow a byte order mark."""
    text = (topology.ROOT / "lab.yml").read_bytes()
    text = text[text.index(b"site:") :].replace(b"\n", b"\r\n")
    (tmp_path / "lab.yml").write_bytes(mark + text)
    assert topology.load(tmp_path / "lab.yml") == topology.load()


def test_a_misspelt_setting_is_answered_with_the_right_one(tmp_path: Path) -> None:
    """Also where it is one of a node, and where it is indented too little."""
    text = (topology.ROOT / "lab.yml").read_text(encoding="utf-8")
    text = text.replace("    memory: 768", "    memroy: 768").replace("  version:", "version:")
    (tmp_path / "lab.yml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        topology.load(tmp_path / "lab.yml")
    assert "memroy: is not a setting of 'lb1'; did you mean memory?" in caught.value.evidence
    assert "version: is not a setting of the lab; it is a setting of 'box': indent it below 'box:'" in str(caught.value)


def test_the_shipped_file_is_the_three_machines_of_the_design() -> None:
    """One balancer, two servers, addresses as documented."""
    lab = topology.load()
    assert {node.name: str(node.ip) for node in lab.nodes} == {
        "lb1": "192.168.56.10",
        "web1": "192.168.56.11",
        "web2": "192.168.56.12",
    }
    assert lab.url == "http://192.168.56.10/"


def test_the_vagrantfile_has_the_same_management_network() -> None:
    """Both say it where lab.yml does not, and what the Vagrantfile says is looked at by nobody."""
    text = (topology.ROOT / "Vagrantfile").read_text(encoding="utf-8")
    assert f'management_network_address = LAB["management"] || "{topology.MANAGEMENT}"' in text


def test_hardware_addresses_follow_from_addresses() -> None:
    """The Vagrantfile computes the same, from the same rule."""
    assert topology.load().node("web2").mac == "52:54:00:a8:38:0c"


def test_an_unknown_node_is_refused_with_the_names_that_exist() -> None:
    """A typing mistake is answered with the choice."""
    for name, meant in (("web3", "web1 or web2"), ("LB1", "lb1"), ("server", "lb1, web1, web2")):
        with pytest.raises(BadInput, match=f"no node '{name}'.*{meant}"):
            topology.load().node(name)


TOPOLOGIES = topology.ROOT / "docs" / "topologies"


@pytest.mark.parametrize(
    ("name", "web", "databases", "remote"),
    [
        ("three", "web1 web2", "web1 web2", ""),
        ("four", "web1 web2 web3", "web1 web2", "web3"),
        ("five", "web1 web2", "db1 db2", "web1 web2"),
    ],
)
def test_web_servers_and_databases_may_be_apart(name: str, web: str, databases: str, remote: str) -> None:
    """Each shipped topology is a lab; its first line tells the memory of its machines."""
    path = TOPOLOGIES / f"{name}.yml"
    lab = topology.load(path)
    found = (lab.having("web"), lab.having("database"), lab.remote_readers)
    assert [" ".join(node.name for node in nodes) for nodes in found] == [web, databases, remote]
    memory = sum(node.memory for node in lab.nodes)
    assert f" {memory} MB: " in path.read_text(encoding="utf-8").splitlines()[0]
    free, emulated = (
        ceil(preflight.memory_needed(lab, Inventory((), (), ()), emulated=it) / 100) / 10 for it in (False, True)
    )
    row = f"| {memory} MB | {free} GB; {emulated} GB |"
    assert row in (topology.ROOT / "docs" / "topologies.md").read_text(encoding="utf-8")


def test_the_default_is_the_lab_of_three_machines() -> None:
    """Experiments that are not for the nodes of lab.yml are told from wrong ones by that file."""
    assert topology.load(TOPOLOGIES / "three.yml") == topology.load()
