"""Which box the lab boots: one that the user names, the pinned one of lab.yml, or one built on this machine."""

from dataclasses import dataclass

from box import build
from lab import process, progress
from lab.errors import InfrastructureBroken, LabError
from lab.topology import Lab

ADD_TIMEOUT_S = 1800.0
LIST_TIMEOUT_S = 60.0
VAGRANT_ENV = {"VAGRANT_CHECKPOINT_DISABLE": "1"}


@dataclass(frozen=True)
class Chosen:
    """A box that Vagrant has on this machine, and why it was chosen."""

    name: str
    why: str


def choose(lab: Lab, provider: str, *, emulated: bool, wanted: str = "") -> Chosen:
    """Choose the box, download or build it, and log the choice in one line.

    `wanted` is 'local', 'plain', or the name of a box. Raises InfrastructureBroken if no box is available.
    """
    chosen = _choose(lab, provider, emulated, wanted)
    progress.say("box", f"{chosen.name}: {chosen.why}")
    return chosen


def _choose(lab: Lab, provider: str, emulated: bool, wanted: str) -> Chosen:
    if wanted in {"local", "plain"}:
        return Chosen(build.ensure(plain=wanted == "plain"), "built here, as asked")
    if wanted:
        return Chosen(_get(wanted, "", provider), "as asked")
    if provider == "libvirt" and emulated:
        why = "built here, because installing packages in an emulated machine takes many minutes"
        cached = build.in_cache()
        if cached:
            return Chosen(cached, why)
        reason = build.can_build()
        if reason is None:
            return Chosen(build.ensure(), why)
        progress.say("box", f"no box can be built here ({reason}); using the one of lab.yml")
    return _pinned(lab, provider)


def _pinned(lab: Lab, provider: str) -> Chosen:
    try:
        return Chosen(_get(lab.box.name, lab.box.version, provider), f"version {lab.box.version}, pinned in lab.yml")
    except LabError as error:
        reason = build.can_build() if provider == "libvirt" else f"a box for {provider} can't be built here"
        if reason is None:
            progress.say("box", f"{lab.box.name} is not available: {error.what}")
            return Chosen(build.ensure(), "built here, because no box catalogue is reachable")
        raise InfrastructureBroken(
            "no box: the one of lab.yml is not available and none can be built",
            evidence=f"{error}\nno box can be built: {reason}",
            hint=f"on a machine with internet: vagrant box add {lab.box.name} --box-version {lab.box.version}",
        ) from error


def _get(name: str, version: str, provider: str) -> str:
    listed = process.run(["vagrant", "box", "list"], timeout=LIST_TIMEOUT_S, env=VAGRANT_ENV).output
    if not any(_is(line, name, version, provider) for line in listed.splitlines()):
        argv = ["vagrant", "box", "add", name, "--provider", provider]
        argv += ["--box-version", version] if version else []
        process.run(argv, timeout=ADD_TIMEOUT_S, env=VAGRANT_ENV, show=_shown)
    return name


def _is(line: str, name: str, version: str, provider: str) -> bool:
    words = line.replace("(", " ").replace(")", " ").replace(",", " ").split()
    return words[:2] == [name, provider] and (not version or version in words[2:])


def _shown(line: str) -> tuple[str, str] | None:
    return ("box", line.removeprefix("==> ")) if line.startswith("==> ") else None
