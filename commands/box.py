"""invoke box.*: the image that the machines boot."""

from invoke.collection import Collection
from invoke.context import Context

from box.build import ensure
from commands.command import command, say


@command(changes=True, help={"plain": "leave the packages out: the roles install them"})
def build(c: Context, plain: bool = False) -> None:
    """Build the lab's own box from the distribution's packages, unless it already exists."""
    say(ensure(plain=plain))


commands = Collection("box", build)
