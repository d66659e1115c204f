"""Which programs the project's Python starts on the hosting machine.

Followed are the argument lists of lab.process.run and subprocess, through names, parameters (to their callers) and
functions that return a list, and the scripts of `sh -c`. What can't be followed is an error, never left out.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.commands import shell
from tests.commands.source import Code, Place

RUNNERS = {"lab.process.run", "subprocess.Popen", "subprocess.run", "os.execvp"}
SHELLS = {"sh", "bash"}
ITSELF = "lab.process"


class Unclear(Exception):
    """The source does not say which program is started; the message says where."""


@dataclass
class Started:
    """Programs that an argument list may start; `more` if the list may be a mere prefix of one."""

    names: set[str] = field(default_factory=set)
    more: bool = False

    def add(self, other: "Started") -> None:
        """Both, for two possible lists."""
        self.names |= other.names
        self.more |= other.more


def programs(code: Code) -> set[str]:
    """The names of all programs that the code starts; raises Unclear."""
    names: set[str] = set()
    for module in code.modules.values():
        for function, call in module.calls if module.name != ITSELF else ():
            called = code.full_name(module, call.func)
            if called in RUNNERS:
                names |= _Reader(code).started(Place(module, function, call.args[0])).names
            elif called == "shutil.which":
                names |= _Reader(code).word(Place(module, function, call.args[0]))
    return {name.rpartition("/")[2] for name in names}


def _all(sets: Iterable[set[str]]) -> set[str]:
    return {name for names in sets for name in names}


class _Reader:
    """Follows one argument list; remembers where it was, so that a list that grows itself ends."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.seen: set[int] = set()

    def started(self, place: Place) -> Started:
        """What an argument list may start."""
        node = place.node
        if id(node) in self.seen:
            return Started()
        self.seen.add(id(node))
        if isinstance(node, ast.List | ast.Tuple):
            return self._elements(place, node.elts)
        if isinstance(node, ast.Call):
            return self._returned(place, node)
        if isinstance(node, ast.IfExp):
            return self._either([place.at(node.body), place.at(node.orelse)])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._elements(place, [ast.Starred(node.left), ast.Starred(node.right)])
        if isinstance(node, ast.Name | ast.Attribute) and (values := list(self.code.values(place))):
            return self._either(values)
        raise Unclear(str(place))

    def _either(self, places: list[Place]) -> Started:
        both = Started()
        for place in places:
            both.add(self.started(place))
        return both

    def _elements(self, place: Place, elements: list[ast.expr]) -> Started:
        found = Started()
        for index, element in enumerate(elements):
            if not isinstance(element, ast.Starred):
                words = self.word(place.at(element))
                found.names |= words
                if words & SHELLS and len(elements) > index + 2 and ast.unparse(elements[index + 1]) == "'-c'":
                    found.names |= self._script(place.at(elements[index + 2]))
                found.more = self._ends_with_own_vararg(place, elements)
                return found
            part = self.started(place.at(element.value))
            found.names |= part.names
            if not part.more:
                return Started(found.names)
        return Started(found.names, more=True)

    def _ends_with_own_vararg(self, place: Place, elements: list[ast.expr]) -> bool:
        """Whether the list is a prefix for what its function is given: ['ip', 'netns', 'exec', NAME, *argv]."""
        vararg = place.function.args.vararg if place.function else None
        return bool(vararg) and ast.unparse(elements[-1]) == f"*{vararg.arg}" and "exec" in ast.unparse(place.node)  # type: ignore[union-attr]

    def _returned(self, place: Place, call: ast.Call) -> Started:
        if ast.unparse(call.func) in {"list", "tuple"}:
            return self.started(place.at(call.args[0]))
        found = self._either(self._returns(place, call))
        if found.more and call.args:
            rest = self._elements(place, call.args)
            return Started(found.names | rest.names, rest.more)
        return found

    def _returns(self, place: Place, call: ast.Call) -> list[Place]:
        target = self.code.function(place.module, call.func)
        if not target:
            raise Unclear(str(place))
        module, function = target
        values = [it.value for it in ast.walk(function) if isinstance(it, ast.Return) and it.value]
        return [Place(module, function, value) for value in values]

    def word(self, place: Place) -> set[str]:
        """The names that one word of an argument list may stand for."""
        node = place.node
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return {node.value}
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"shutil.which", "str"}:
            return self.word(place.at(node.args[0]))
        if ast.unparse(node).startswith("Path(sys.executable).with_name("):
            return set()  # a program of .venv: requirements.lock brings it
        values = list(self.code.values(place)) if isinstance(node, ast.Name | ast.Attribute) else []
        if not values:
            raise Unclear(str(place))
        return _all(map(self.word, values))

    def _script(self, place: Place) -> set[str]:
        """The programs of a shell script that is put together from constants."""
        node = place.node
        if isinstance(node, ast.Constant):
            return shell.programs(node.value) if isinstance(node.value, str) else set()
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(it.value) if isinstance(it, ast.Constant) else "$value" for it in node.values)
            return shell.programs(text)
        if isinstance(node, ast.Name):
            return _all(map(self._script, self.code.values(place)))
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return self._script(place.at(node.elt))
        if isinstance(node, ast.Call) and self.code.function(place.module, node.func):
            return _all(map(self._script, self._returns(place, node)))
        children = [it for it in ast.iter_child_nodes(node) if isinstance(it, ast.expr)]
        return _all(self._script(place.at(it)) for it in children)
