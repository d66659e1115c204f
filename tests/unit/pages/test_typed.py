"""A slip in a command of a page is found without a machine."""

import pytest

from tests.support.pages.typed import mistakes, simple_commands


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("invoke lab.statsu", "lab.statsu"),
        ("invoke lab.provision --dryrun", "--dryrun"),
        ("invoke db.promote", "node"),
        ("invoke db.promote lb1", "lb1"),
        ("invoke db.durability asnyc", "asnyc"),
        ("invoke lab.exec web7 'true'", "web7"),
        ("true && invoke lab.exec web1 'true' | grep x; invoke lab.exec web9 'true'", "web9"),
        ("for i in 1 2; do invoke lab.logs --node web3; done", "web3"),
        ("invoke fault.inject freze web2", "freeze"),
        ("invoke fault.inject service-kill web2", "service"),
        ("invoke fault.inject slow web2 --delay 300", "delay"),
        ("invoke experiment.run web2-frezee", "web2-freeze"),
        ("invoke exercise.start 99", "99"),
        ("invoke --help lab.upp", "lab.upp"),
        (".venv/bin/invoke lab.upp", "lab.upp"),
        ("locust -f loadtests/sites.py", "loadtests/sites.py"),
    ],
)
def test_a_slip_is_found(text: str, words: str) -> None:
    """Of a command, an option, a word that is missing, a node, a value, a fault, an experiment or a file."""
    assert words in "\n".join(mistakes(text))


@pytest.mark.parametrize(
    "text",
    [
        "invoke --list",
        "invoke --help lab.up",
        "invoke lab.up   # starts what is off",
        'invoke lab.exec web1 "systemctl stop nginx; true"',
        'for node in web1 web2; do invoke lab.exec $node "true"; done',
        "invoke fault.inject slow web2 --delay-ms 300 --for 30",
        "invoke experiment.run web2-freeze --rounds 10",
        "invoke db.restore FILE",
        "invoke exercise.check",
        "invoke exercise.check 3 --answer a=b",
        "invoke exercise.reset NAME",
        "locust -f loadtests/site.py --headless",
        "curl -s http://192.168.56.10/ | grep title",
    ],
)
def test_a_right_command_has_none(text: str) -> None:
    """With options, comments, variables, and names that the reader puts in."""
    assert list(mistakes(text)) == []


def test_a_line_of_the_shell_is_taken_apart() -> None:
    """At what separates commands, not within quotes."""
    text = "for i in 1 2; do curl -sI http://x/ | grep 'a|b'; done"
    assert [words[0] for words in simple_commands(text)] == ["for", "curl", "grep", "done"]
