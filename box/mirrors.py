"""Where packages come from: the mirrors of this machine's apt configuration, never an address in this code."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from box.recipe import Release
from lab import process, progress
from lab.errors import InfrastructureBroken, LabError

FORMAT = "$(CREATED_BY)|$(ORIGIN)|$(RELEASE)|$(REPO_URI)"
LOOPBACK = ("localhost", "127.", "::1")
PASSED_ON = ("Acquire::Check-Date", "Acquire::Check-Valid-Until")
PROXIES = ("Acquire::http::Proxy", "Acquire::https::Proxy")


@dataclass(frozen=True)
class Mirrors:
    """The addresses of a distribution's archive and of its security updates."""

    archive: str
    security: str


@dataclass(frozen=True)
class Fetching:
    """How this machine downloads: proxies by protocol, and the apt settings that a guest needs too."""

    proxies: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def find(release: Release) -> Mirrors:
    """The mirrors that apt uses on this machine; if it has no package lists, they are fetched first."""
    mirrors = parse(_index_targets(), release)
    if mirrors is None:
        progress.say("box", "apt has no package lists yet: running apt-get update")
        process.run(["apt-get", "update", "--quiet"], timeout=300)
        mirrors = parse(_index_targets(), release)
    if mirrors is None:
        raise InfrastructureBroken(
            f"host: no {release.family.title()} mirror in apt's configuration",
            evidence=_index_targets(),
            hint="make apt-get update work on this machine first",
        )
    return mirrors


def _index_targets() -> str:
    return process.run(["apt-get", "indextargets", "--format", FORMAT], timeout=30).output


def parse(targets: str, release: Release) -> Mirrors | None:
    """The mirrors in the output of `apt-get indextargets` with FORMAT, or None if it has no archive."""
    archive = security = ""
    for line in targets.splitlines():
        kind, origin, pocket, address = [*line.split("|"), "", "", ""][:4]
        if kind != "Packages" or origin.lower() != release.family or not (usable := _usable(address)):
            continue
        if pocket.endswith(("-security", "/updates")):
            security = security or usable
        elif "-" not in pocket:
            archive = archive or usable
    return Mirrors(archive, security) if archive else None


def _usable(address: str) -> str:
    """The address if a guest can fetch from it too, else ''; of a mirror list, its first usable entry."""
    if address.startswith("mirror+file:"):
        path = Path(urlsplit(address).path)
        entries = path.read_text().split() if path.is_file() else []
        return next(filter(None, map(_usable, entries)), "")
    return address.rstrip("/") if address.startswith(("http://", "https://")) else ""


def fetching() -> Fetching:
    """This machine's proxies, and its apt settings for out-of-date mirrors."""
    dump = process.run(["apt-config", "dump", "--format", "%F %v%n"], timeout=30).output
    return parse_fetching(dump, dict(os.environ))


def parse_fetching(dump: str, environ: dict[str, str]) -> Fetching:
    """Read proxies and settings from `apt-config dump`; environment variables give proxies that it lacks."""
    values = dict(line.split(" ", 1) for line in dump.splitlines() if " " in line)
    proxies = {}
    for key in PROXIES:
        variable = key.split("::")[1] + "_proxy"
        value = values.get(key) or environ.get(variable, "")
        if value and value != "DIRECT":
            proxies[variable] = value
    settings = {key: values[key] for key in PASSED_ON if values.get(key) in ("false", "no", "0")}
    return Fetching(proxies, settings)


def sources(release: Release, mirrors: Mirrors) -> str:
    """The guest's apt sources."""
    code = release.codename
    security = mirrors.security or (mirrors.archive if release.family == "ubuntu" else "")
    entries = [_entry(release, mirrors.archive, f"{code} {code}-updates")]
    if security:
        entries.append(_entry(release, security, f"{code}-security"))
    if release.family == "debian":
        # Only sid has MySQL. On a mirror that is no longer updated, the release file of sid is past its date.
        entries.append(_entry(release, mirrors.archive, "sid", "Check-Valid-Until: no\n"))
    return "\n".join(entries)


def _entry(release: Release, address: str, suites: str, more: str = "") -> str:
    return (
        f"Types: deb\nURIs: {address}\nSuites: {suites}\nComponents: {release.components}\n"
        f"{more}Signed-By: {release.keyring}\n"
    )


def guest_settings(how: Fetching) -> str:
    """The guest's apt settings, without a proxy on this machine's loopback, which a guest cannot reach."""
    lines = [f'{key} "{value}";' for key, value in how.settings.items()]
    for variable, proxy in how.proxies.items():
        if not (urlsplit(proxy).hostname or "").startswith(LOOPBACK):
            lines.append(f'Acquire::{variable.removesuffix("_proxy")}::Proxy "{proxy}";')
    return "".join(f"{line}\n" for line in lines)


def problem(release: Release) -> str:
    """Why apt on this machine cannot provide this release, or ''."""
    try:
        find(release)
    except LabError as error:
        return error.what
    return ""
