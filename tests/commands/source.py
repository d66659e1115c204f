"""The project's Python read without running it: what a name may stand for, and who calls a function."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """An expression, with the function and the module that it stands in."""

    module: "Module"
    function: ast.FunctionDef | None
    node: ast.expr

    def at(self, node: ast.expr) -> "Place":
        """Another expression of the same function."""
        return Place(self.module, self.function, node)

    def __str__(self) -> str:
        return f"{self.module.name}, line {self.node.lineno}: {ast.unparse(self.node)}"


class Module:
    """One source file."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.tree = ast.parse(text)

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """Every function and method by its name."""
        return {it.name: it for it in ast.walk(self.tree) if isinstance(it, ast.FunctionDef)}

    @cached_property
    def calls(self) -> list[tuple[ast.FunctionDef | None, ast.Call]]:
        """Every call with the innermost function that it stands in."""
        owner = {id(inner): it for it in self.functions.values() for inner in ast.walk(it)}
        return [(owner.get(id(it)), it) for it in ast.walk(self.tree) if isinstance(it, ast.Call)]

    @cached_property
    def imports(self) -> dict[str, str]:
        """Each imported name with what it stands for: {'link': 'host.private.link', 'QEMU': 'host.names.QEMU'}."""
        found = {}
        for it in ast.walk(self.tree):
            if isinstance(it, ast.ImportFrom):
                found.update({name.asname or name.name: f"{it.module}.{name.name}" for name in it.names})
            elif isinstance(it, ast.Import):
                found.update({name.asname or name.name: name.name for name in it.names})
        return found


class Code:
    """Several source files that import each other."""

    def __init__(self, modules: dict[str, str]) -> None:
        self.modules = {name: Module(name, text) for name, text in modules.items()}

    def full_name(self, module: Module, node: ast.expr) -> str:
        """What a dotted name means: 'process.run' is 'lab.process.run' where lab.process is imported."""
        first, _, rest = ast.unparse(node).partition(".")
        if first == "self":
            return f"{module.name}.{rest}"
        head = module.imports.get(first, f"{module.name}.{first}")
        return f"{head}.{rest}" if rest else head

    def function(self, module: Module, node: ast.expr) -> tuple[Module, ast.FunctionDef] | None:
        """The function that a call's `func` names, None where it is not of this code."""
        owner, _, name = self.full_name(module, node).rpartition(".")
        found = self.modules.get(owner)
        return (found, found.functions[name]) if found and name in found.functions else None

    def values(self, place: Place) -> Iterator[Place]:
        """Every expression that a name at this place may stand for; none where that is not to be seen."""
        name = ast.unparse(place.node)
        if place.function and (found := list(_assigned(place.function, name))):
            yield from map(place.at, found)
        elif place.function and (source := _looped(place.function, name)):
            for values in self.values(place.at(source)):
                yield from map(values.at, _elements(values.node))
        elif place.function and name in _parameters(place.function):
            yield from self._arguments(place.module, place.function, name)
        else:
            owner, _, last = self.full_name(place.module, place.node).rpartition(".")
            if module := self.modules.get(owner):
                yield from (Place(module, None, value) for value in _assigned(module.tree, last))

    def _arguments(self, module: Module, function: ast.FunctionDef, name: str) -> Iterator[Place]:
        """What the callers of a function give for a parameter, and its default."""
        yield from (Place(module, None, default) for default in _default(function, name))
        for caller in self.modules.values():
            for inside, call in caller.calls:
                if self.function(caller, call.func) == (module, function):
                    yield from (Place(caller, inside, given) for given in _given(call, function, name))


def _parameters(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [it.arg for it in named] + ([arguments.vararg.arg] if arguments.vararg else [])


def _default(function: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
    arguments = function.args
    defaults = dict(zip(reversed([it.arg for it in arguments.args]), reversed(arguments.defaults), strict=False))
    if name in defaults:
        yield defaults[name]


def _given(call: ast.Call, function: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
    yield from (it.value for it in call.keywords if it.arg == name)
    positional = [it.arg for it in function.args.args if it.arg != "self"]
    if function.args.vararg and function.args.vararg.arg == name:
        rest = ast.List(elts=call.args[len(positional) :], ctx=ast.Load())
        yield ast.copy_location(rest, call)
    elif name in positional and positional.index(name) < len(call.args):
        yield call.args[positional.index(name)]


def _assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """Every expression that the scope assigns to a name; a module's own scope is its top level only."""
    for it in scope.body if isinstance(scope, ast.Module) else ast.walk(scope):
        if isinstance(it, ast.Assign):
            for target in it.targets:
                yield from _matching(target, it.value, name)
        elif isinstance(it, ast.AnnAssign | ast.NamedExpr) and it.value:
            yield from _matching(it.target, it.value, name)
        elif isinstance(it, ast.For | ast.comprehension):
            for element in _elements(it.iter):
                yield from _matching(it.target, element, name)


def _elements(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.Tuple | ast.List):
        return node.elts
    return [key for key in node.keys if key] if isinstance(node, ast.Dict) else []


def _looped(function: ast.FunctionDef, name: str) -> ast.expr | None:
    """The named sequence, or the dictionary of which `.items()`, that a loop of the function takes `name` from."""
    for it in ast.walk(function):
        if isinstance(it, ast.For | ast.comprehension):
            if ast.unparse(it.target) == name and isinstance(it.iter, ast.Name | ast.Attribute):
                return it.iter
            if isinstance(it.target, ast.Tuple) and ast.unparse(it.target.elts[0]) == name:
                return _dictionary(it.iter)
    return None


def _dictionary(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "items":
        return node.func.value
    return None


def _matching(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for part, given in zip(target.elts, value.elts, strict=False):
            yield from _matching(part, given, name)


def read(root: Path, folders: list[str], files: list[str]) -> Code:
    """The Python below `folders` and in `files`."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    paths += [root / name for name in files if (root / name).exists()]
    return Code({_dotted(path.relative_to(root)): path.read_text(encoding="utf-8") for path in paths})


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")
