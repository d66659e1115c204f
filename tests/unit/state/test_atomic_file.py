"""The lock, the choices and the secrets: the content of .lab/."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab.errors import BadInput, Locked
from lab.state import choices, credentials, lock
from lab.state.atomic_file import atomic_write
from lab.state.choices import Choices
from lab.wait import until
from tests.unit.conftest import Stored


@pytest.mark.parametrize(
    ("mode", "expected"), [(None, 0o600), (0o755, 0o755), (0o600, 0o600)], ids=["none given", "a program", "a secret"]
)
def test_a_file_has_the_mode_that_was_asked_for(tmp_path: Path, mode: int | None, expected: int) -> None:
    """Whatever the umask: libvirt can't start an emulator that only root may run. The folder holds no other file."""
    path = tmp_path / "folder" / "file"
    before = os.umask(0o077)
    try:
        atomic_write(path, "old", mode)
        atomic_write(path, "new", mode)
    finally:
        os.umask(before)
    assert (path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777) == ("new", expected)
    assert list(path.parent.iterdir()) == [path]


HOLD = """
import sys
from pathlib import Path
from lab.state import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_command_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    """Exit code 7, and the holder of the lock."""
    path = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(Locked, match=rf"process {holder.pid}") as caught, lock.held(path):
            pass
        assert caught.value.exit_code == 7
        holder.kill()
    with lock.held(path):
        pass


PART = """
import sys
from pathlib import Path
from lab.state import lock
from lab import process
with lock.held(Path(sys.argv[1])):
    process.run(["sh", "-c", "echo started >&3; read end <&4"], timeout=60, keep=(*lock.descriptors(), 3, 4))
"""


def test_the_lock_is_held_until_the_last_part_of_a_command_has_ended(tmp_path: Path) -> None:
    """kill -9 of an experiment leaves its running promotion: no other command may change the lab meanwhile."""
    path = tmp_path / "lock"
    begun, notify, wait, leave = *os.pipe(), *os.pipe()
    pipes = f"exec 3>&{notify} 4<&{wait}; exec '{sys.executable}' -c '{PART}' '{path}'"
    with subprocess.Popen(["bash", "-c", pipes], pass_fds=(notify, wait)) as holder:
        assert os.read(begun, 8) == b"started\n"
        holder.kill()
    with pytest.raises(Locked, match=rf"process {holder.pid}"), lock.held(path):
        pass
    os.close(leave)
    until("the part has ended", lambda: _is_free(path), 10, every=0.05)
    for end in (begun, notify, wait):
        os.close(end)


def _is_free(path: Path) -> bool:
    try:
        with lock.held(path):
            return True
    except Locked:
        return False


def test_choices_are_kept_beside_earlier_ones(stored: Stored) -> None:
    """A later choice does not forget the first."""
    choices.save(box="local")
    choices.save(provider="libvirt")
    assert stored() == {"box": "local", "provider": "libvirt"}


def test_choices_set_aside_come_back_once(stored: Stored) -> None:
    """Choices made meanwhile are dropped; removed protections stay on record and are not the user's choice."""
    choices.save(durability="async", box="local", without=["retries"])
    choices.set_aside()
    choices.save(durability="durable", mode="active-passive")
    assert choices.bring_back() and not choices.bring_back()
    assert stored() == {"durability": "async", "box": "local", "without": ["retries"]}
    choices.forget(["durability", "box"])
    choices.set_aside()
    assert not choices.bring_back(), "nothing was chosen meanwhile"
    assert stored() == {"durability": "async", "box": "local"} and not choices.ASIDE.exists()


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "word"])
def test_damaged_choices_are_named(tmp_path: Path, text: str) -> None:
    """The error names the file and the next step."""
    path = tmp_path / "choices.yml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"choices\.yml"):
        choices.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("box: local\ncolour: red\n", "line 2: colour: is not a setting of the choices"),
        ("algorithm: round-robin\n", "line 1: algorithm: can't be 'round-robin'; did you mean roundrobin?"),
        ("weights: {web1: much}\n", "line 1: weights.web1: must be a whole number"),
    ],
    ids=["key", "value", "weight"],
)
def test_a_choice_that_nobody_can_make_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """With its line, the file, and what to do."""
    path = tmp_path / "choices.yml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        choices.load(path)
    assert message in str(caught.value) and str(path) in caught.value.what
    assert caught.value.hint.startswith(f"correct {path}")


def test_what_a_command_cannot_choose_is_not_kept(stored: Stored) -> None:
    """Exit 2, and the names that exist."""
    with pytest.raises(BadInput, match="provider: can't be 'docker'; one of: libvirt, virtualbox"):
        choices.save(provider="docker")
    assert stored() == {}


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It may name values that are the defaults, or nothing."""
    path = tmp_path / "choices.yml"
    assert choices.load(path) == Choices()
    path.write_text("box: local\ndurability: durable\nmode: active-passive\nwithout: []\n")
    assert choices.load(path) == Choices(box="local", mode="active-passive")
    path.write_text("")
    assert choices.load(path) == Choices()


def test_passwords_are_made_once_and_kept_private(tmp_path: Path) -> None:
    """Mode 600, the same at the second call, new ones for new accounts only."""
    path = tmp_path / "secrets.yml"
    first = credentials.passwords(["a"], path)
    both = credentials.passwords(["a", "b"], path)
    assert both["a"] == first["a"] != both["b"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_secrets_file_is_named(tmp_path: Path) -> None:
    """Removing it is the next step: a converge sets new passwords."""
    path = tmp_path / "secrets.yml"
    path.write_text("[")
    with pytest.raises(BadInput, match="remove"):
        credentials.passwords(["a"], path)


@pytest.mark.parametrize("password", ["it's", 'say "so"', "back\\slash", "two\nlines", "", "x" * 33, "emm\u00e4"])
def test_a_password_that_sql_would_not_take_as_it_is_is_refused(password: str, tmp_path: Path) -> None:
    """All of them at once, with the allowed characters; nothing is written."""
    path = tmp_path / "secrets.yml"
    path.write_text(yaml.safe_dump({"site": password, "clone": password, "root": "fine-1_A"}), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        credentials.passwords(["site", "new"], path)
    assert [line.split(":")[0] for line in caught.value.evidence.splitlines()] == ["- clone", "- site"]
    assert path.read_text(encoding="utf-8") == before


def test_the_command_that_runs_is_known_to_others(tmp_path: Path) -> None:
    """By the holder of the lock; a killed command no longer runs."""
    path = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert f"process {holder.pid}" in lock.running(path)
        holder.kill()
    assert lock.running(path) == ""


def test_a_process_that_got_the_number_of_a_killed_command_is_not_that_command(tmp_path: Path) -> None:
    """After a power cut the record is still there, and its number may belong to another process."""
    path = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
    record = path.with_suffix(".holder")
    record.write_text(record.read_text(encoding="utf-8").replace(str(holder.pid), str(os.getppid())), encoding="utf-8")
    assert lock.running(path) == ""
