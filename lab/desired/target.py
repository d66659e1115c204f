"""What a role knows when it says what a node should have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.desired.state import Desired
from lab.release import Release
from lab.render import render
from lab.state.choices import Choices
from lab.topology import Lab, Node


@dataclass(frozen=True)
class Target:
    """A node, the lab around it, its system, what was chosen, and the accounts' passwords."""

    lab: Lab
    node: Node
    release: Release
    choices: Choices
    credentials: Mapping[str, str] = field(repr=False)

    def render(self, template: str) -> str:
        """The text of a template for this node."""
        return render(
            template,
            lab=self.lab,
            node=self.node,
            release=self.release,
            choices=self.choices,
            credentials=self.credentials,
        )


Roles = Mapping[str, Callable[[Target], Desired]]  # by name: what each wants of a node
