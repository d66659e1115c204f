"""Which groups of commands a command line names: a command starts sooner without what the others import."""

from collections.abc import Sequence

GROUPS = ("lab", "db", "fault", "experiment", "box")  # each has a module here
LISTS = ("-l", "--list")


def named(words: Sequence[str]) -> Sequence[str]:
    """The groups of its commands; all of them where it lists commands, or names none."""
    found = [group for group in GROUPS if any(word.startswith(f"{group}.") for word in words)]
    return GROUPS if not found or any(word.startswith(LISTS) for word in words) else found
