"""bootstrap.sh on machines that are made up: its functions are loaded and those that look at the machine replaced."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.wait import until

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING_MISSING = "missing_packages() { listed_packages; }\nprovider_works() { false; }\n"
NOTHING_MISSING = "missing_packages() { :; }\nlacks_libvirt_group() { false; }\n"
NO_VENV = "make_venv() { :; }\n"
DEBIAN = """os_release() { printf 'ID=debian\\nVERSION_ID="12"\\nPRETTY_NAME="Debian 12"\\n'; }\n"""
UBUNTU = """os_release() { printf 'ID=ubuntu\\nVERSION_ID="24.04"\\nPRETTY_NAME="Ubuntu 24.04"\\n'; }\n"""
FEDORA = """os_release() { printf 'ID=fedora\\nVERSION_ID=43\\nPRETTY_NAME="Fedora 43"\\n'; }\n"""
NOTHING_INSTALLED = "apt_install_all() { echo INSTALLS; }\nrequire_plugin() { :; }\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of nothing but what bootstrap.sh reads."""
    for name in ("bootstrap.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "host-packages", tmp_path / "host-packages")
    return tmp_path


def start(checkout: Path, text: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    """Load bootstrap.sh's functions, then run `text`, in a process group of its own."""
    argv = ["bash", "-c", f"source {checkout}/bootstrap.sh\n{text}"]
    pipe = subprocess.PIPE
    answered = {"CI", "YES"}  # by whoever runs the tests, as .ci/run does
    env = {name: value for name, value in os.environ.items() if name not in answered}
    return subprocess.Popen(argv, stdin=stdin, stdout=pipe, stderr=pipe, text=True, process_group=0, env=env)


def run(checkout: Path, text: str, stdin: int = subprocess.DEVNULL) -> tuple[int, str, str]:
    """The exit code and what was printed on both streams."""
    process = start(checkout, text, stdin)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_the_package_list_is_printed_bare(checkout: Path) -> None:
    """Names only, so that other programs can read it."""
    code, out, _ = run(checkout, "main --list-packages")
    assert code == 0
    assert {"vagrant", "tini", "mmdebstrap"} <= set(out.split())
    assert all(len(line.split()) == 1 and "#" not in line for line in out.splitlines())


def test_apt_takes_nothing_away(checkout: Path) -> None:
    """Whatever the lab needs: a package that would have to go for it was somebody's, who was not asked."""
    _, out, _ = run(checkout, 'as_root() { echo "$*"; }\n"${APT[@]}" install -y vagrant')
    assert out.startswith("apt-get ") and "-o APT::Get::Remove=false" in out


def test_an_unknown_option_is_wrong_input(checkout: Path) -> None:
    """It shows what there is."""
    code, _, err = run(checkout, "main --frobnicate")
    assert (code, "--list-packages" in err) == (2, True)


def test_a_machine_with_a_working_provider_is_used_as_it_is(checkout: Path) -> None:
    """Nothing is installed, whatever the system."""
    text = EVERYTHING_MISSING + FEDORA + NO_VENV + NOTHING_INSTALLED + "provider_works() { true; }\nmain"
    code, out, _ = run(checkout, text)
    assert (code, "using the Vagrant provider" in out, "INSTALLS" in out) == (0, True, False)


def test_packages_are_installed_where_a_provider_is_missing(checkout: Path) -> None:
    """On a system that is known."""
    text = EVERYTHING_MISSING + DEBIAN + NO_VENV + NOTHING_INSTALLED + "has_candidate() { true; }\nmain"
    assert "INSTALLS" in run(checkout, text)[1]


def test_an_unknown_system_gets_the_portable_steps(checkout: Path) -> None:
    """Exit 3 and what to do by hand."""
    code, _, err = run(checkout, EVERYTHING_MISSING + FEDORA + "main")
    assert code == 3
    assert "Fedora 43" in err
    assert ".venv/bin/invoke lab.up" in err


def test_a_system_without_a_vagrant_package_names_the_vendors_page(checkout: Path) -> None:
    """Ubuntu 24.04: before anything is asked or installed."""
    nothing = "has_candidate() { false; }\nknows_packages() { true; }\ncommand() { [[ $2 != vagrant ]]; }\n"
    code, out, err = run(checkout, EVERYTHING_MISSING + UBUNTU + nothing + "main")
    assert (code, "will install" in out) == (3, False)
    assert "https://developer.hashicorp.com/vagrant/install" in err
    assert "vagrant plugin install vagrant-libvirt" in err


def test_without_a_terminal_it_says_so_and_goes_on(checkout: Path) -> None:
    """The list is shown all the same."""
    code, out, _ = run(checkout, "agree_to_install tini vagrant; echo GOES ON")
    assert (code, "tini vagrant" in out, "no terminal" in out, "GOES ON" in out) == (0, True, True, True)


def test_on_a_terminal_it_asks_once_and_takes_no_for_an_answer(checkout: Path) -> None:
    """YES=1 answers for the user."""
    outcomes = {}
    for yes, typed in (("", "n"), ("", "y"), ("1", "n")):
        keyboard, terminal = os.openpty()
        os.write(keyboard, f"{typed}\n".encode())
        code, out, _ = run(checkout, f"YES={yes} agree_to_install tini; echo GOES ON", stdin=terminal)
        outcomes[yes, typed] = (code, "GOES ON" in out)
        os.close(keyboard)
        os.close(terminal)
    assert outcomes == {("", "n"): (3, False), ("", "y"): (0, True), ("1", "n"): (0, True)}


@pytest.mark.parametrize("asks", ["agree_to_install tini", "agree_to_join"])
def test_joining_a_group_is_a_part_of_the_question(checkout: Path, asks: str) -> None:
    """Its members rule all machines of the system's libvirtd: nobody joins unasked, and no means no."""
    outcomes = {}
    for lacks, typed in (("true", "n"), ("true", "y"), ("false", "n")):
        keyboard, terminal = os.openpty()
        os.write(keyboard, f"{typed}\n".encode())
        text = f"lacks_libvirt_group() {{ {lacks}; }}\n{asks}; echo GOES ON"
        code, out, _ = run(checkout, text, stdin=terminal)
        outcomes[lacks, typed] = (code, "joins the group libvirt" in out)
        os.close(keyboard)
        os.close(terminal)
    without_group = 3 if asks.startswith("agree_to_install") else 0
    assert outcomes == {("true", "n"): (3, True), ("true", "y"): (0, True), ("false", "n"): (without_group, False)}


def test_a_failing_step_says_what_command_how_and_what_next(checkout: Path) -> None:
    """And keeps the whole output in the log."""
    text = "mkdir .lab; step 'counting' 'count again' sh -c 'seq 20; exit 9'"
    code, _, err = run(checkout, text)
    assert code == 3
    assert "counting: failed" in err
    assert "$ sh -c seq 20; exit 9" in err
    assert "exit 9" in err
    assert "\n    11\n" in err and "\n    10\n" not in err
    assert "next: count again" in err
    assert "\n1\n2\n" in (checkout / ".lab/bootstrap.log").read_text()


def test_a_slow_step_is_never_silent(checkout: Path) -> None:
    """Its last line is shown."""
    text = "SAY_EVERY_S=0.2; mkdir .lab; step slowly 'wait' sh -c 'echo half way; sleep 0.7'"
    assert run(checkout, text)[1].count("slowly: ") >= 3


@pytest.fixture
def held_lock(tmp_path: Path) -> Iterator[Path]:
    """A lock file that another process holds as apt does."""
    path = tmp_path / "lock-frontend"
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); input(chr(10))"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", hold, path], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout and process.stdout.readline() == "\n"  # it asks only when it has the lock
        yield path
        process.communicate("\n")


def test_who_holds_apts_lock_is_named_while_it_waits(checkout: Path, held_lock: Path) -> None:
    """And after the deadline it gives up, naming it again."""
    text = f"APT_LOCKS=({held_lock}); LOCK_WAIT_S=1; wait_for_apt"
    code, out, err = run(checkout, text)
    assert code == 3
    assert f"lock {held_lock}): waiting" in out
    assert "in use by python" in err


def test_a_free_lock_is_not_waited_for(checkout: Path) -> None:
    """A lock file that lies there is nobody's."""
    (checkout / "lock").touch()
    assert run(checkout, f"APT_LOCKS=({checkout}/lock {checkout}/none); wait_for_apt") == (0, "", "")


FAKE_STEPS = """
find_python() { echo python3; }
step() {
    echo "STEP $1"
    [[ "$*" != *" -m venv "* ]] || { rm -rf .venv; mkdir -p .venv/bin; ln -s "$(type -P echo)" .venv/bin/python; }
}
"""


def test_the_environment_is_made_once(checkout: Path) -> None:
    """The second run does nothing."""
    once = run(checkout, FAKE_STEPS + NOTHING_MISSING + "main")[1]
    twice = run(checkout, FAKE_STEPS + NOTHING_MISSING + "main")[1]
    assert (once.count("STEP"), twice.count("STEP")) == (3, 0)


@pytest.mark.parametrize(
    "change, steps",
    [
        ("rm .venv/packages.stamp", 3),
        ("echo >>requirements.lock", 3),
        ("echo >>pyproject.toml", 1),
        ("rm .venv/bin/python", 3),
    ],
)
def test_an_environment_that_does_not_match_is_made_again(checkout: Path, change: str, steps: int) -> None:
    """Half made, or made from another lock file or with another Python; a changed project is only linked again."""
    run(checkout, FAKE_STEPS + NOTHING_MISSING + "main")
    assert run(checkout, f"{FAKE_STEPS}{NOTHING_MISSING}{change}\nmain")[1].count("STEP") == steps


def test_the_command_after_it_keeps_its_exit_code(checkout: Path) -> None:
    """make up ends as lab.up ends."""
    assert run(checkout, NOTHING_MISSING + NO_VENV + "main --then sh -c 'echo $0 $1; exit 7' one two")[:2] == (
        7,
        "    0s  bootstrap  packages: nothing is missing\none two\n",
    )


def test_an_interrupt_ends_it_with_130(checkout: Path) -> None:
    """And says that it can be run again. The step starts no process: a shell goes on where that ends well."""
    text = f"{NOTHING_MISSING}make_venv() {{ step waiting again sh -c ': >{checkout}/runs; exec sleep 20'; }}\nmain"
    process = start(checkout, text)
    until("the step runs", (checkout / "runs").exists, 10, every=0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, "run it again" in err) == (130, True)


def test_two_at_once_wait_for_each_other(checkout: Path) -> None:
    """They would make the same .venv."""
    (checkout / ".lab").mkdir()
    with (checkout / ".lab/bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(checkout, f"SAY_EVERY_S=0.2\n{NOTHING_MISSING}{NO_VENV}main")
        assert process.stdout
        assert "waiting for another bootstrap" in process.stdout.readline()
    assert process.wait(timeout=10) == 0
