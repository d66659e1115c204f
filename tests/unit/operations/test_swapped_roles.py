"""The status after a promotion: the roles are not those of a new lab."""

import pytest

from lab.operations import status
from tests.unit.operations.test_status import HEALTHY, node


@pytest.mark.parametrize(("replicating", "told"), [(True, True), (False, False)])
def test_roles_that_are_swapped_are_told_with_the_way_back(replicating: bool, told: bool) -> None:
    """After a promotion: one quiet line, once the server that was built as primary could take over again."""
    web1 = {**HEALTHY["database"]["servers"][1], "name": "web1", "replicating": replicating}
    web2 = {**HEALTHY["database"]["servers"][0], "name": "web2"}
    swapped = {**HEALTHY, **node(roles=["web", "database"])}
    swapped["database"] = {**HEALTHY["database"], "primary": "web2", "servers": [web1, web2]}
    lines = [it for it in status.table(swapped, colour=True).splitlines() if it.startswith("swapped")]
    assert [it.endswith("back: invoke db.promote web1") for it in lines] == ([True] if told else [])
    assert all(status.RED not in it for it in lines)


def test_roles_as_built_are_not_told() -> None:
    """The first database is primary."""
    assert "swapped" not in status.table({**HEALTHY, **node(roles=["web", "database"])}, colour=False)
