"""For tests without machines: what a real lab of this checkout has going on is none of their business."""

from pathlib import Path

import pytest

from lab import ledger


@pytest.fixture(autouse=True)
def no_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger of faults is a file of the test's."""
    monkeypatch.setattr(ledger, "LEDGER", tmp_path / "ledger" / "faults.json")
    ledger.LEDGER.parent.mkdir()
