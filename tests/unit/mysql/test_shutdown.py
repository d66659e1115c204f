"""How an old primary ended: what its record and libvirt say about commits it may have released."""

import subprocess
from pathlib import Path

import pytest

from lab.mysql import shutdown
from tests.support.pairs import WEB1

OPENED = "weblab mysql: started\nweblab mysql: opened 512\n"
STOP, CLEAN = "weblab mysql: stop requested\n", "weblab mysql: exited success exited 0\n"
KILLED, DUMPED = "weblab mysql: exited signal killed KILL\n", "weblab mysql: exited core-dump dumped SEGV\n"
RESTART = "weblab mysql: exited exit-code exited 16\n"
CRASHED = "weblab mysql: exited exit-code exited 2\n"
FAILED, AGAIN = "weblab mysql: exited exit-code exited 1\n", "weblab mysql: started\n"
SYSTEM = f"weblab mysql: {shutdown.SYSTEM_STOPS}\n"
EARLIER = "weblab mysql: started\nweblab mysql: opened 17\n"
GAVE_UP, SET = "weblab mysql: gave up waiting for a replica\n", "weblab mysql: durability set\n"
SHELL = "[  OK  ] Reached target\r\nbox login: "

NOTHING_RELEASED = {
    "the plug was pulled": ("destroyed", "", SHELL + OPENED),
    "the emulator crashed": ("crashed", "", OPENED),
    "frozen, or the kernel crashed": ("", "", OPENED),
    "killed, and the node answers": ("", OPENED + KILLED, OPENED),
    "crashed with a core": ("", OPENED + DUMPED, None),
    "killed and started again": ("", OPENED + KILLED + "weblab mysql: started\n", None),
    "MySQL caught SIGSEGV": ("", OPENED + CRASHED, None),
    "crashed, and started again": ("", OPENED + CRASHED + AGAIN, None),
    "killed, and it can't start": ("", OPENED + KILLED + FAILED + FAILED, None),
    "killed, it can't start at first, then it is stopped": ("", OPENED + KILLED + FAILED + AGAIN + STOP + CLEAN, None),
    "killed, started again and stopped": ("", OPENED + KILLED + AGAIN + STOP + CLEAN, None),
    "killed, then its system shut down": ("shutdown", "", OPENED + KILLED + SYSTEM),
    "killed, started again, then its system shut down": ("shutdown", "", OPENED + KILLED + AGAIN + STOP + CLEAN),
    "killed, and both records are there": ("", OPENED + KILLED + AGAIN, SHELL + OPENED + KILLED + AGAIN),
    "the console shows an earlier boot only": ("", OPENED + KILLED, EARLIER + STOP + CLEAN),
    "the console begins with an earlier boot": ("", OPENED + KILLED, EARLIER + STOP + CLEAN + OPENED + KILLED),
    "the console lacks the last opening": ("", EARLIER + STOP + CLEAN + OPENED, EARLIER + STOP + CLEAN),
    "the memory lacks the last opening": ("", EARLIER + STOP + CLEAN, EARLIER + STOP + CLEAN + OPENED + KILLED),
    "the kernel writes behind a line": ("", OPENED + KILLED, OPENED + KILLED.strip() + "[   12.5] audit: x\n"),
    "gave up waiting before it became durable": ("", OPENED + GAVE_UP + SET + KILLED, None),
    "gave up waiting before it was opened": ("destroyed", "", EARLIER + GAVE_UP + OPENED),
    "stopped long before it was opened": ("", STOP + CLEAN + OPENED, None),
}
MAY_HAVE_RELEASED = {
    "the system shut down": ("shutdown", "", OPENED, "not because its power was cut"),
    "libvirt gives no reason": ("unknown", "", OPENED, "unknown reason"),
    "systemctl stop": ("", OPENED + STOP + CLEAN, None, "asked to stop"),
    "frozen in the middle of a stop": ("", OPENED + STOP, None, "asked to stop"),
    "SIGTERM, or SHUTDOWN": ("", OPENED + CLEAN, None, "shut down normally"),
    "RESTART": ("", OPENED + RESTART, None, "shut down normally"),
    "SIGTERM, then SIGKILL": ("", OPENED + KILLED + "weblab mysql: stop requested (error log)\n", None, "asked"),
    "SIGTERM, then SIGKILL, and it can't start": ("", OPENED + KILLED + STOP + FAILED, None, "asked to stop"),
    "stopped, and it crashed meanwhile": ("", OPENED + STOP + CRASHED, None, "asked to stop"),
    "SIGTERM, and it crashed meanwhile": ("", OPENED + CRASHED + STOP, None, "asked to stop"),
    "it ended with an error": ("", OPENED + FAILED, None, "shut down normally"),
    "ended by an unknown signal": ("", OPENED + "weblab mysql: exited signal killed PIPE\n", None, "normally"),
    "it ended with 20": ("", OPENED + "weblab mysql: exited exit-code exited 20\n", None, "shut down normally"),
    "a line was cut off, and the next one follows it": (
        "destroyed",
        "",
        OPENED + "weblab mysql: stop req" + CLEAN,
        "be read",
    ),
    "the kernel writes into a line": (
        "destroyed",
        "",
        OPENED + "weblab mysql: stop re[   12.5] x\nquested\n",
        "be read",
    ),
    "started without an end, then killed": ("", OPENED + AGAIN + KILLED, None, "not on record"),
    "the system shut down, and it was killed": ("shutdown", "", OPENED + STOP + KILLED, "asked to stop"),
    "only the console could take the line": ("", OPENED, OPENED + STOP, "asked to stop"),
    "only the memory could take the line": ("", OPENED + STOP, OPENED, "asked to stop"),
    "only the console took the end": ("", OPENED, OPENED + CLEAN, "shut down normally"),
    "the memory lacks the last opening, and it was stopped": ("", EARLIER, EARLIER + OPENED + STOP, "asked to stop"),
    "gave up waiting, then its plug was pulled": ("destroyed", "", OPENED + SET + GAVE_UP, "gave up waiting"),
    "gave up waiting, then it was killed": ("", OPENED + GAVE_UP + KILLED, None, "gave up waiting"),
    "stopped, and its durability is set": ("", OPENED + STOP + SET, None, "asked to stop"),
    "stopped, then its plug was pulled": ("destroyed", "", OPENED + STOP, "asked to stop"),
    "it reboots": ("", "", OPENED + STOP, "asked to stop"),
    "stopped, started, killed": ("", OPENED + STOP + CLEAN + "weblab mysql: started\n" + KILLED, None, "asked to stop"),
    "it was started again since": ("destroyed", "", SHELL, "started again since"),
    "the memory is new, the console tells": ("", "weblab mysql: started\n", OPENED + STOP, "asked to stop"),
    "silent, and this user can't read the console": ("", "", None, "can't be read"),
    "its plug was pulled, and this user can't read the console": ("destroyed", "", None, "can't be read"),
    "the system was ended by force, and started again": ("", "", OPENED + "weblab mysql: started\n", "not on record"),
    "the system is ended by force": ("", "", OPENED + "weblab mysql: stop requested, the system shuts down\n", "asked"),
}


@pytest.mark.parametrize(("off", "record", "console"), NOTHING_RELEASED.values(), ids=NOTHING_RELEASED)
def test_an_end_that_releases_nothing_is_no_doubt(off: str, record: str, console: str | None) -> None:
    """MySQL had no time to let a waiting commit return."""
    assert shutdown.doubt(WEB1, off, record, console) == ""


@pytest.mark.parametrize(("off", "record", "console", "why"), MAY_HAVE_RELEASED.values(), ids=MAY_HAVE_RELEASED)
def test_an_orderly_end_is_a_doubt_and_so_is_one_that_nobody_knows(
    off: str, record: str, console: str | None, why: str
) -> None:
    """Whatever caused it; later events change nothing."""
    assert why in shutdown.doubt(WEB1, off, record, console)


def test_each_opening_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Two openings can't be confused; a node without such names records the opening too."""
    recorder = tmp_path / "recorder"
    recorder.write_text(f'echo "$@" >> {tmp_path}/record\n')
    for text in [shutdown.OPENS, shutdown.OPENS, shutdown.OPENS.replace("/proc/", "/nowhere/")]:
        subprocess.run(
            ["sh", "-c", text.replace(shutdown.RECORDER, str(recorder))], check=True, stderr=subprocess.DEVNULL
        )
    first, second, third = (tmp_path / "record").read_text().splitlines()
    assert first.startswith(shutdown.OPENED) and second.startswith(shutdown.OPENED) and third == shutdown.OPENED
    assert len({first, second, third}) == (3 if Path("/proc/sys/kernel/random/uuid").exists() else 1)
