"""An experiment gives commands that there are, with words that they take, and none that ends or empties the lab."""

import pytest
from invoke.parser.context import to_flag

import tasks
from lab import topology
from lab.errors import BadInput
from lab.plan import experiment_file
from lab.plan.allowed_commands import COMMANDS, mistake

LAB = topology.load()


@pytest.mark.parametrize(
    "words",
    [
        "db.promote web2",
        "db.promote web2 --accept-data-loss",
        "db.promote --stay-durable web2 --accept-data-loss",
        "db.rejoin web1",
        "db.durability async",
        "db.status",
        "lab.provision",
        "lab.provision --node lb1",
    ],
)
def test_a_command_that_there_is_may_be_given(words: str) -> None:
    """With its word, and its options before it or after it."""
    assert mistake(LAB, words) == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("db.promot web2", "'db.promot' is not a command for an experiment; did you mean db.promote?"),
        ("db.promote", "db.promote needs a server with a database: one of web1, web2"),
        ("db.promote web7", "'web7' is not a server with a database; did you mean web1 or web2?"),
        ("db.promote lb1", "'lb1' is not a server with a database; one of: web1, web2"),
        ("db.promote web1 web2", "'web2' is too much: db.promote takes a server with a database"),
        (
            "db.promote web2 --accept-dataloss",
            "'--accept-dataloss' is not an option of db.promote; did you mean --accept-data-loss?",
        ),
        (
            "db.promote web2 --force",
            "'--force' is not an option of db.promote; one of: --accept-data-loss, --stay-durable, --salvage",
        ),
        (
            "db.promote wbe2 --salvag",
            "'--salvag' is not an option of db.promote; did you mean --salvage?; "
            "'wbe2' is not a server with a database; did you mean web2?",
        ),
        ("db.rejoin web1 --stay-durable", "'--stay-durable' is not an option of db.rejoin; it has none"),
        ("db.durability asnyc", "'asnyc' is not a durability; did you mean async?"),
        ("db.status web1", "'web1' is too much: db.status takes nothing but options"),
        ("lab.provision --node", "--node needs a node: one of lb1, web1, web2"),
        ("invoke db.promote web2", "leave 'invoke' out: db.promote web2"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(words: str, message: str) -> None:
    """Before the minutes that a run takes, not after them."""
    assert mistake(LAB, words) == message


@pytest.mark.parametrize(
    "words", ["lb.weight web1 3", "lab.down", "lab.destroy", "fault.heal", "db.backup", "db.restore x", "", "$(reboot)"]
)
def test_whatever_else_the_lab_can_do_is_no_command_for_an_experiment(words: str) -> None:
    """It would stop the lab, remove it, replace its data, or there is no such thing."""
    assert "is not a command for an experiment" in mistake(LAB, words)


@pytest.mark.parametrize("more", ["\nlab.destroy", " && reboot", "; reboot", " $(reboot)"])
def test_a_command_brings_no_other_one_with_it(more: str) -> None:
    """Nothing of a file reaches a shell, and invoke gets one task."""
    assert mistake(LAB, f"db.promote web2{more}")


def test_a_file_with_a_wrong_command_is_refused_at_its_place() -> None:
    """As every other mistake of a file."""
    text = "title: t\nquestion: q\nexpect: [{check: failed-gets, at_most: 0}]\nsteps: [{at: 1, command: db.promote}]\n"
    with pytest.raises(BadInput, match=r"line 4: steps\.0\.command: db\.promote needs a server"):
        experiment_file.parse("it", text, LAB)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_knows_the_tasks_as_they_are(name: str) -> None:
    """Each is a task, with that many words, and with these options."""
    taken = tasks.ns[name].get_arguments()
    flags = {to_flag(it.name): it.takes_value for it in taken if not it.positional}
    assert [it.positional for it in taken].count(True) == bool(COMMANDS[name].word)
    assert {option: bool(value) for option, value in COMMANDS[name].options.items()}.items() <= flags.items()
