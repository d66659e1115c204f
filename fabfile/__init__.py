"""The roles as fab tasks (`fab --list`). Each task converges one role on all nodes that have it."""

import sys
from typing import Any

from fabric import task
from invoke.collection import Collection
from invoke.exceptions import Exit

from fabfile.roles import ROLES
from lab import topology
from lab.errors import LabError
from lab.operations import snapshots
from lab.operations.converge import everything
from lab.state import choices, lock


def _task(role: str) -> Any:
    def converge(c: Any, dry_run: bool = False) -> None:
        try:
            with lock.held() as alone:
                snapshots.must_be_back()
                if alone:
                    choices.of_the_user()
                changed = everything(topology.load(), ROLES, only=(role,), dry_run=dry_run).changed
        except LabError as error:
            raise Exit(str(error), code=error.exit_code) from error
        except KeyboardInterrupt:
            raise Exit("\ninterrupted; run the same command again to complete it", code=130) from None
        sys.stdout.write("\n".join(changed or ["nothing to change"]) + "\n")

    converge.__doc__ = f"Converge the role {role}; --dry-run only shows what differs."
    return task(converge, name=role)


ns = Collection()
for _role in ROLES:
    ns.add_task(_task(_role), name=_role)
