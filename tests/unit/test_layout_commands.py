"""The readers that find out which commands the code calls, and the table they are compared with."""

import pytest

from tests.commands import python, shell, table
from tests.commands.source import Code

PYTHON_CASES = {
    "a literal list": ("process.run(['ip', 'link'], timeout=1)", {"ip"}),
    "a constant": ("VIRSH = ('virsh', '-c')\nprocess.run([*VIRSH, 'list'])", {"virsh"}),
    "a name in a function": ("def f():\n    argv = ['tini', '-s']\n    process.run([*argv, 'x'])", {"tini"}),
    "one of two": ("def f(x):\n    process.run(['a'] if x else ['b'])", {"a", "b"}),
    "two lists in a row": ("process.run(['a'] + ['b'])", {"a"}),
    "a parameter": ("def f(argv):\n    process.run(argv)\ndef g():\n    f(['qemu-img', 'info'])", {"qemu-img"}),
    "all parameters": ("def f(*argv):\n    process.run(argv)\nf('xz', '-d')\nf('zstd')", {"xz", "zstd"}),
    "a prefix": ("def f(where):\n    process.run([*where, 'iptables'])\nf([])\nf(['ssh', 'x'])", {"iptables", "ssh"}),
    "a function's list": ("def f(x):\n    return ['mke2fs', x]\nprocess.run(f(1))", {"mke2fs"}),
    "a wrapper": (
        "def inside(*argv):\n    return ['ip', 'netns', 'exec', 'n', *argv]\nprocess.run(inside('nft', 'list'))",
        {"ip", "nft"},
    ),
    "a script": (
        "def f(x):\n    t = f'mount {x}; exec tini -s'\n    process.run(['sh', '-c', t])",
        {"sh", "mount", "tini"},
    ),
    "a program of .venv": ("TOOL = Path(sys.executable).with_name('x')\nprocess.run([str(TOOL), 'ls'])", set()),
    "a question": ("import shutil\nfor p in ('dig', 'wrk'):\n    shutil.which(p)", {"dig", "wrk"}),
}

SHELL_CASES = {
    "words, functions and programs": ("f() { local x=1; sed p; }\nif true; then f; fi", {"sed"}),
    "a pipeline in an assignment": ('x="$(cat a | sort -u)"', {"cat", "sort"}),
    "a condition's parts": ('! grep -q a b && [[ $(id -u) == 0 || -e "/x y" ]] || stat c', {"grep", "id", "stat"}),
    "redirections": ("cut -c 1 <in >out 2>&1; done_it=1 tr a b < <(head x)", {"cut", "tr", "head"}),
    "a here-document": ("cat <<END\nmount x\nEND\nls", {"cat", "ls"}),
    "a case": ('case "$(uname)" in\n  "a b" | c) cp a b ;;\n  *) mv a b ;;\nesac', {"uname", "cp", "mv"}),
    "a loop": ('for i in find sort; do touch "$i"; done', {"touch"}),
    "a leading word": ("exec 9>lock; timeout 10 virsh list; exec tini -s -- x", {"timeout", "virsh", "tini"}),
    "an array": ('a=(find $(seq 3))\n"${a[@]}" x', {"seq"}),
    "a comment": ("ls # then rm\n# mv", {"ls"}),
    "another host's programs": ('chroot "$root" useradd x', {"chroot"}),
}


@pytest.mark.parametrize("name", PYTHON_CASES)
def test_python_commands_are_found(name: str) -> None:
    """Every way in which the code gives an argument list is followed."""
    text, expected = PYTHON_CASES[name]
    assert python.programs(Code({"host.x": f"from lab import process\n{text}"})) == expected


@pytest.mark.parametrize("name", SHELL_CASES)
def test_shell_commands_are_found(name: str) -> None:
    """Programs are told from shell words, functions, arguments and texts."""
    script, expected = SHELL_CASES[name]
    assert shell.programs(script) == expected


@pytest.mark.parametrize("text", ["process.run(x)", "process.run([x, 'y'])", "process.run(x.split())"])
def test_a_command_that_cannot_be_followed_is_an_error(text: str) -> None:
    """What can't be read is never taken for nothing."""
    with pytest.raises(python.Unclear, match=r"host\.x, line 2"):
        python.programs(Code({"host.x": f"from lab import process\n{text}"}))


def test_the_table_names_exactly_the_commands_that_are_called_or_typed() -> None:
    """A new command needs a line in host-packages/commands.txt, and a line that nobody needs goes."""
    called, declared = table.called() | table.typed(), set(table.declared())
    assert (called - declared, declared - called) == (set(), set()), "add to, or remove from host-packages/commands.txt"


def test_every_command_comes_from_a_package_that_bootstrap_installs() -> None:
    """The table names packages of host-packages/debian.txt only."""
    assert set(table.declared().values()) - {"base", "optional"} <= set(table.packages())
