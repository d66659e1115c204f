"""What the verdict of a run stands on: how many checks were judged, and how many values are only reported."""

from collections.abc import Sequence

from lab.report.check_rows import NOT_JUDGED, ONLY_REPORTED, Row

WORDS = {"fail": "failed", "inconclusive": "could not be judged (too little was seen)"}


def judged(rows: Sequence[Row]) -> str:
    """One or two sentences below the verdict."""
    decided = [it for it in rows if it.verdict != NOT_JUDGED]
    limited = [it for it in decided if it.bound != ONLY_REPORTED]
    if not rows:
        return "This run checks nothing."
    if len(decided) < len(rows):
        return f"The test setup broke: {_standing(len(limited))}."
    return " ".join([*_limits(limited), *_reported(len(rows) - len(limited), bool(limited))])


def _standing(count: int) -> str:
    stands = f"{count} check{'s' if count > 1 else ''} failed for a reason that this does not explain"
    return f"{stands}, the others are not judged" if count else "no check is judged"


def _limits(limited: Sequence[Row]) -> list[str]:
    if not limited:
        return ["No check has a limit."]
    counted = {word: sum(it.verdict == word for it in limited) for word in WORDS}
    parts = [(count, WORDS[word]) for word, count in counted.items() if count] or [(len(limited), "passed")]
    (first, word), *others = parts
    told = f"{first} of {len(limited)} checks with a limit {word}"
    return [", ".join([told, *(f"{count} {word}" for count, word in others)]) + "."]


def _reported(count: int, others: bool) -> list[str]:
    values = f"{count} {'more ' if others else ''}{'value is' if count == 1 else 'values are'} only reported"
    return [f"{values}{' and did not decide' if others else ''}."] if count else []
