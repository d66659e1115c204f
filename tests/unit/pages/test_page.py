"""What somebody types is found in a page, with its output, and the output can be replaced."""

from pathlib import Path

from tests.support.pages.page import Page

TEXT = """# A page

```console either
$ curl -s http://192.168.56.10/
hello
$ invoke lab.exec web2 "systemctl stop nginx"
```

<details><summary>Answer</summary>

```console exit=3
$ true
$ false
no
```

</details>

```yaml
title: no command
```

A list:

    invoke lab.status        # what runs
    192.168.56.10 www.foobar.com

and an answer:

    $ invoke db.status
    web1: primary
    └─ web2: replica
"""


def page(text: str = TEXT) -> Page:
    """A page of that text."""
    return Page(Path("page.md"), text)


def test_commands_are_found_with_their_outputs() -> None:
    """In fences and indented, with a prompt or without; not in a block of another language, nor a line of a file."""
    assert [(it.text, it.expected) for it in page().commands] == [
        ("curl -s http://192.168.56.10/", ("hello",)),
        ('invoke lab.exec web2 "systemctl stop nginx"', ()),
        ("true", ()),
        ("false", ("no",)),
        ("invoke lab.status", None),
        ("invoke db.status", ("web1: primary", "└─ web2: replica")),
    ]


def test_a_block_says_how_it_is_compared() -> None:
    """Its last command may end with an error, and the balancer may begin with either server."""
    first, second, third, fourth, *_ = page().commands
    assert [it.either for it in (first, second, third)] == [True, True, False]
    assert [it.exit_code for it in (first, third, fourth)] == [0, 0, 3]


def test_an_output_is_replaced_and_nothing_else() -> None:
    """Longer, shorter or empty; the rest of the page stays."""
    first, second, _, _, _, last = page().commands
    new = {first.line: ["good", "morning"], second.line: ["stopped"], last.line: []}
    text = page().with_outputs(new)
    assert [it.expected for it in page(text).commands] == [("good", "morning"), ("stopped",), (), ("no",), None, ()]
    assert text == TEXT.replace("hello", "good\nmorning").replace('stop nginx"\n', 'stop nginx"\nstopped\n').replace(
        "    web1: primary\n    └─ web2: replica\n", ""
    )


def test_the_same_outputs_change_nothing() -> None:
    """A second run that finds the same leaves the file as it is."""
    assert page().with_outputs({it.line: list(it.expected or ()) for it in page().commands}) == TEXT
