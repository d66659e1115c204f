"""Ask, change only what differs, say what changed. The scripts run here for real, in a folder of the test's."""

import getpass
import grp
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from lab.desired.ensure import compare, show
from lab.desired.scripts import apply_script, probe_script, read_probe
from lab.desired.state import Command, Desired, Difference, File, Found, Unit, fingerprint
from lab.nodes.ssh import Answer, Machine
from tests.support.fake_node import bash, fake, places

__all__ = ["places"]
ME = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
CONF = File("/etc/thing.conf", "port 80\n")
UNIT = Unit("thing.service", watches=("/etc/thing.conf",), on_change="systemctl reload thing")
FOUND = Found(
    frozenset({"thing"}), {CONF.path: fingerprint(CONF)}, {"thing.service": "active enabled"}, {"name": 0}, {}
)
DESIRED = Desired(("thing",), (CONF,), (UNIT,), (Command("name", "true", "true"),))


def test_a_node_as_desired_differs_in_nothing() -> None:
    """The second converge has nothing to do."""
    assert not compare(DESIRED, FOUND)


def test_a_changed_file_is_written_and_its_unit_reacts() -> None:
    """One file differs: that file, and the reload of the unit that watches it."""
    found = Found(FOUND.packages, {CONF.path: "0 644 root:root"}, FOUND.units, FOUND.commands, {})
    assert compare(DESIRED, found) == Difference(files=(CONF,), reactions=(UNIT,))


def test_a_wrong_mode_is_a_difference() -> None:
    """Secrets must not become readable by drift."""
    loose = fingerprint(CONF).replace("644", "666")
    found = Found(FOUND.packages, {CONF.path: loose}, FOUND.units, FOUND.commands, {})
    assert compare(DESIRED, found).files == (CONF,)


def test_changes_are_counted_by_kind() -> None:
    """A service that reacts and is started too is one; nothing that is not there is named."""
    files = tuple(replace(CONF, path=f"/etc/{number}") for number in range(14))
    units = tuple(replace(UNIT, name=f"{name}.service") for name in "abc")
    due = Difference(files=files, reactions=units[:2], starts=("b.service",), later=units[2:])
    assert due.summary() == "14 files, 3 services"
    assert Difference(packages=("thing",), commands=DESIRED.commands).summary() == "1 package, 1 setting"
    assert Difference(reload=True).summary() != ""


DROP_IN = File("/etc/systemd/system/thing.service.d/x.conf", "[Service]\n")


def test_a_drop_in_is_read_by_systemd_and_restarts_nothing() -> None:
    """Also where a run ended before systemd had read it."""
    desired = Desired(files=(DROP_IN,), units=(UNIT,))
    assert compare(desired, FOUND) == Difference(files=(DROP_IN,), reload=True)
    written = replace(FOUND, files={DROP_IN.path: fingerprint(DROP_IN)})
    assert not compare(desired, written)
    assert compare(desired, replace(written, stale=True)) == Difference(reload=True)
    block = "=weblab= units\nNames=thing.service\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload="
    assert read_probe(f"{block}yes\n").stale and not read_probe(f"{block}no\n").stale


def test_a_unit_that_reacts_in_turn_is_only_marked(tmp_path: Path) -> None:
    """Somebody else says when; until it has, each probe finds it due."""
    unit = replace(UNIT, watches=(str(tmp_path / "conf"),), in_turn=True)
    file = File(str(tmp_path / "conf"), "new", owner=ME)
    difference = compare(Desired(files=(file,), units=(unit,)), FOUND)
    assert (difference.reactions, difference.later) == ((), (unit,)) and "systemctl reload thing" in str(difference)
    assert bash(apply_script(difference)).returncode == 0
    fake(tmp_path, "systemctl", "printf 'Names=thing.service\\nActiveState=active\\nUnitFileState=enabled\\n'")
    desired = Desired(files=(file,), units=(unit,))
    due = compare(desired, read_probe(bash(probe_script(desired)).stdout))
    assert due == Difference(later=(unit,))
    assert bash(apply_script(Difference(reactions=due.later))).returncode == 0
    assert "systemctl reload thing" in (tmp_path / "calls").read_text()
    assert not compare(desired, read_probe(bash(probe_script(desired)).stdout))


@pytest.mark.parametrize(
    ("state", "reactions"),
    [("inactive enabled", ()), ("failed enabled", ()), ("active disabled", (UNIT,))],
)
def test_only_a_unit_that_runs_reacts(state: str, reactions: tuple[Unit, ...]) -> None:
    """One that is started reads its new file anyway; enabling one that runs does not make it read."""
    found = Found(FOUND.packages, {}, {"thing.service": state}, FOUND.commands, {})
    difference = compare(DESIRED, found)
    assert (difference.starts, difference.reactions) == (("thing.service",), reactions)


def test_a_missing_package_and_an_unmet_state_are_changed() -> None:
    """Packages by name, other state by its own question."""
    found = Found(frozenset(), FOUND.files, FOUND.units, {"name": 1}, {})
    difference = compare(DESIRED, found)
    assert difference.packages == ("thing",)
    assert [it.name for it in difference.commands] == ["name"]


def test_the_probe_reports_files_commands_and_answers(tmp_path: Path) -> None:
    """What the probe prints is what compare needs."""
    path = tmp_path / "a file"
    path.write_text("hello\n")
    path.chmod(0o640)
    file = File(str(path), "hello\n", "640", ME)
    desired = Desired(
        files=(file, File(str(tmp_path / "absent"), "x")),
        commands=(Command("yes", "true", ""), Command("no", "exit 7", "")),
        questions={"two words": "echo one; echo why >&2; echo two"},
    )
    found = read_probe(bash(probe_script(desired)).stdout)
    assert found.files == {str(path): fingerprint(file)}
    assert found.commands == {"yes": 0, "no": 7}
    assert found.answers == {"two words": "one\ntwo\nwhy"}


def test_units_are_read_by_all_their_names() -> None:
    """mysql.service may be an alias."""
    text = (
        "=weblab= units\nNames=mysqld.service mysql.service\nActiveState=active\nUnitFileState=enabled\n\n"
        "Names=nginx.service\nActiveState=inactive\nUnitFileState=disabled\n"
    )
    units = read_probe(text).units
    assert units["mysql.service"] == "active enabled"
    assert units["nginx.service"] == "inactive disabled"


def test_only_installed_packages_count(tmp_path: Path) -> None:
    """A removed package leaves its configuration behind: 'rc', not 'ii'."""
    text = "=weblab= packages\nii  nginx\nrc  haproxy\nun  php-fpm\n"
    assert read_probe(text).packages == {"nginx"}


def test_apply_writes_content_mode_and_owner(tmp_path: Path) -> None:
    """The file arrives byte for byte, in a folder that did not exist."""
    file = File(str(tmp_path / "new" / "x.conf"), "quote ' \" $HOME `id` ü\n", "640", ME, check="grep -q quote %s")
    done = bash(apply_script(Difference(files=(file,))))
    assert done.returncode == 0, done.stderr
    assert Path(file.path).read_text() == file.text
    assert Path(file.path).stat().st_mode & 0o777 == 0o640


def test_a_refused_file_leaves_every_old_file_and_runs_nothing(tmp_path: Path) -> None:
    """The checker of one file says no: no file is replaced, no service touched, the reason is shown."""
    good, bad, touched = tmp_path / "good", tmp_path / "bad", tmp_path / "touched"
    for path in (good, bad):
        path.write_text("old")
    difference = Difference(
        files=(
            File(str(good), "new", owner=ME),
            File(str(bad), "new", owner=ME, check="echo line 3 is wrong >&2; false %s"),
        ),
        reactions=(Unit("thing.service", on_change=f"touch {touched}"),),
    )
    done = bash(apply_script(difference))
    assert done.returncode != 0
    assert (good.read_text(), bad.read_text(), touched.exists()) == ("old", "old", False)
    assert "check of" in done.stdout and "line 3 is wrong" in done.stderr


@pytest.fixture
def reacting(tmp_path: Path) -> Difference:
    """A file that differs, and a unit whose reaction fails for as long as there is a file `broken`."""
    (tmp_path / "conf").write_text("old")
    (tmp_path / "broken").touch()
    fake(tmp_path, "react", "[ ! -e broken ]")
    file = File(str(tmp_path / "conf"), "new", owner=ME)
    return Difference(files=(file,), reactions=(Unit("thing.service", (file.path,), "react"),))


def test_a_disk_that_fills_up_in_the_middle_leaves_every_old_file(tmp_path: Path, reacting: Difference) -> None:
    """All files are copied beside their places before the first is moved; none of the copies stays."""
    fake(tmp_path, "cp", '[ "${*: -1:1}" != "$PWD/second.weblab" ] && exec /bin/cp "$@"')
    second = File(str(tmp_path / "second"), "new", owner=ME)
    done = bash(apply_script(Difference(files=(*reacting.files, second), reactions=reacting.reactions)))
    assert done.returncode != 0
    assert (tmp_path / "conf").read_text() == "old"
    assert list(tmp_path.glob("*.weblab")) == []


def test_a_reaction_that_failed_is_seen_and_done_by_the_next_run(tmp_path: Path, reacting: Difference) -> None:
    """The files are as they should be, and still the unit has to read them."""
    desired = Desired(files=reacting.files, units=reacting.reactions)
    fake(tmp_path, "systemctl", "printf 'Names=thing.service\\nActiveState=active\\nUnitFileState=enabled\\n'")
    assert bash(apply_script(reacting)).returncode != 0
    difference = compare(desired, read_probe(bash(probe_script(desired)).stdout))
    assert difference == Difference(reactions=reacting.reactions)
    (tmp_path / "broken").unlink()
    assert bash(apply_script(difference)).returncode == 0
    assert not compare(desired, read_probe(bash(probe_script(desired)).stdout))


def test_a_unit_that_is_started_has_nothing_left_to_react_to(tmp_path: Path, reacting: Difference) -> None:
    """Its reaction failed, it died, it was started: it has read its files."""
    bash(apply_script(reacting))
    assert (tmp_path / "pending" / "thing.service").exists()
    fake(tmp_path, "systemctl", "true")
    assert bash(apply_script(Difference(starts=("thing.service",)))).returncode == 0
    assert list((tmp_path / "pending").iterdir()) == []


def test_half_a_script_changes_nothing(tmp_path: Path, reacting: Difference) -> None:
    """The connection broke while it was sent."""
    script = apply_script(reacting)
    bash(script[: script.index("mv -T")])
    assert [path.name for path in tmp_path.iterdir() if path.name in ("pending", "calls")] == []


class Here:
    """A connection to this machine, which counts the round trips."""

    def __init__(self) -> None:
        self.scripts: list[str] = []

    def script(self, text: str, **_: Any) -> Answer:
        """Run it here."""
        self.scripts.append(text)
        return Answer(0, bash(text).stdout, "")


def test_what_would_change_is_shown_but_no_secret(tmp_path: Path) -> None:
    """One round trip for all files; a file with passwords is not even fetched."""
    (tmp_path / "public").write_text("a\nold ü\n")
    (tmp_path / "secret").write_text("password old")
    for name, mode in (("public", 0o600), ("secret", 0o640)):
        (tmp_path / name).chmod(mode)
    public, new, secret = (str(tmp_path / name) for name in ("public", "new", "secret"))
    files = File(public, "a\nnew\n", owner=ME), File(new, "x"), File(secret, "password new", "640", ME)
    here = Here()
    text = show(cast(Machine, here), Difference(files=files))
    assert text.splitlines() == [
        f"{public}: is 600 {ME}, should be 644 {ME}",
        *(f"--- {public} (now)", f"+++ {public} (as it should be)", "@@ -1,2 +1,2 @@", " a", "-old ü", "+new"),
        *(f"--- {new} (now)", f"+++ {new} (as it should be)", "@@ -0,0 +1 @@", "+x", "\\ No newline at end of file"),
        f"{secret}: content differs (not shown: it holds passwords)",
    ]
    assert len(here.scripts) == 1
    assert "password" not in bash(here.scripts[0]).stdout


def test_nothing_is_asked_where_no_file_differs() -> None:
    """A round trip costs time on every node."""
    here = Here()
    assert show(cast(Machine, here), Difference(starts=("thing.service",))) == "" and not here.scripts
