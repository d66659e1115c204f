"""Which mirrors and settings of this machine's apt the box uses."""

from pathlib import Path

import pytest

from box import mirrors, recipe
from box.mirrors import Fetching, Mirrors

# Recorded from `apt-get indextargets` with mirrors.FORMAT.
DEBIAN = """\
Packages|Tools Inc|stable|http://tools.example/apt/
Packages|Debian|bookworm|http://mirror.example/debian/
Packages|Debian|bookworm-updates|http://mirror.example/debian/
Packages|Debian|bookworm-security|http://mirror.example/debian-security/
"""
UBUNTU = """\
Packages|Ubuntu|noble|http://mirror.example/ubuntu/
Packages|Ubuntu|noble|http://mirror.example/ubuntu/
Packages|Ubuntu|noble-updates|http://mirror.example/ubuntu/
Packages|Ubuntu|noble-updates|http://mirror.example/ubuntu/
Packages|Ubuntu|noble-security|http://security.example/ubuntu/
"""


def test_a_debian_hosts_mirrors() -> None:
    """A third party's repository is ignored."""
    expected = Mirrors("http://mirror.example/debian", "http://mirror.example/debian-security")
    assert mirrors.parse(DEBIAN, recipe.TRIXIE) == expected


def test_an_ubuntu_hosts_mirrors() -> None:
    """The security pocket may be on another mirror."""
    expected = Mirrors("http://mirror.example/ubuntu", "http://security.example/ubuntu")
    assert mirrors.parse(UBUNTU, recipe.NOBLE) == expected


@pytest.mark.parametrize(
    "targets",
    [
        "",
        UBUNTU,
        "Packages|Debian|bookworm|file:/srv/mirror/\n",
        "Packages|Debian|bookworm-backports|http://mirror.example/backports/\n",
    ],
)
def test_no_archive_that_a_machine_can_reach(targets: str) -> None:
    """Empty lists, another distribution, this machine's disk and backports do not count."""
    assert mirrors.parse(targets, recipe.TRIXIE) is None


def test_a_mirror_list_stands_for_its_first_entry(tmp_path: Path) -> None:
    """Cloud images have the mirror's address in a file."""
    entries = tmp_path / "mirrors.txt"
    entries.write_text("https://near.example/ubuntu/\tpriority:1\nhttp://far.example/ubuntu/\tpriority:2\n")
    found = mirrors.parse(f"Packages|Ubuntu|noble|mirror+file:{entries}\n", recipe.NOBLE)
    assert found == Mirrors("https://near.example/ubuntu", "")


def test_debian_guests_ask_sid_last_and_forgive_its_date() -> None:
    """Only the source of MySQL skips the check of the date."""
    entries = mirrors.sources(recipe.TRIXIE, Mirrors("http://m.example/debian", "http://m.example/sec")).split("\n\n")
    assert [line for entry in entries for line in entry.splitlines() if line.startswith("Suites")] == [
        "Suites: trixie trixie-updates",
        "Suites: trixie-security",
        "Suites: sid",
    ]
    assert ["Check-Valid-Until: no" in entry for entry in entries] == [False, False, True]


def test_ubuntu_guests_take_security_from_the_archive_without_a_mirror_for_it() -> None:
    """Ubuntu's archives have that pocket too."""
    text = mirrors.sources(recipe.NOBLE, Mirrors("http://m.example/ubuntu", ""))
    assert "URIs: http://m.example/ubuntu\nSuites: noble-security\nComponents: main universe" in text
    assert "sid" not in text


def test_settings_of_apt_win_over_the_environment() -> None:
    """Settings for out-of-date mirrors are passed on only if they skip the check."""
    dump = "Acquire::Check-Date false\nAcquire::Check-Valid-Until true\nAcquire::http::Proxy http://a.example:8\nDir \n"
    environ = {"http_proxy": "http://b.example:1", "https_proxy": "http://c.example:2"}
    how = mirrors.parse_fetching(dump, environ)
    assert how.proxies == {"http_proxy": "http://a.example:8", "https_proxy": "http://c.example:2"}
    assert how.settings == {"Acquire::Check-Date": "false"}


@pytest.mark.parametrize(
    ("proxy", "guest"),
    [
        ("http://cache.example:3142", 'Acquire::http::Proxy "http://cache.example:3142";\n'),
        ("http://127.0.0.1:3142", ""),
        ("http://localhost:3142", ""),
    ],
)
def test_a_proxy_on_the_hosts_loopback_is_not_for_guests(proxy: str, guest: str) -> None:
    """The build on this machine still uses it."""
    assert mirrors.guest_settings(Fetching({"http_proxy": proxy})) == guest
