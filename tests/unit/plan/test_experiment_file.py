"""An experiment's file is refused whole, or becomes frozen data."""

from pathlib import Path

import pytest

from lab import topology
from lab.errors import BadInput
from lab.faults.kinds import Fault
from lab.injection import inject_and_heal
from lab.plan import experiment_file
from lab.plan.experiment_file import Expectation, Load, Step
from tests.support.stories import shipped

CASES = Path(__file__).parents[1] / "cases" / "plans"
LAB = topology.load()
SHORT = "title: t\nquestion: q\nexpect: [{check: failed-gets, at_most: 0}]\n"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_mistake_is_named_at_once(case: Path) -> None:
    """Each wrong file gives exactly the text beside it, and exit code 2."""
    with pytest.raises(BadInput) as caught:
        experiment_file.load(case.with_suffix(".yml"), LAB)
    assert str(caught.value) + "\n" == case.read_text(encoding="utf-8")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("not-yaml", r"not-yaml\.yml is not YAML"),
        ("empty", r"empty\.yml is empty\nnext: copy experiments/controls/control\.yml"),
        ("absent", r"absent\.yml can't be read"),
    ],
)
def test_a_file_with_nothing_to_read_is_refused(name: str, message: str) -> None:
    """No file and no settings are mistakes, not an experiment without faults."""
    with pytest.raises(BadInput, match=message):
        experiment_file.load(CASES / f"{name}.yml", LAB)


def test_what_a_file_says_arrives() -> None:
    """Every setting, with names for faults and steps in order of time."""
    it = experiment_file.load(CASES / "whole.yml", LAB)
    slow = Fault("slow", "web1", options={"delay_ms": 100})
    cut = Fault("partition", "web2", peer="lb1")
    assert (it.name, it.durability, it.algorithm, it.mode) == ("whole", "available", "leastconn", "active-passive")
    assert it.load == Load(rate=5, write_share=0.5, processes=2)
    assert (it.warm_up_s, it.measure_s, it.settle_s, it.seed) == (1, 30, 60, 7)
    assert it.steps == (
        Step(0, "inject", slow),
        Step(2, "inject", cut),
        Step(10.5, "command", command="db.durability available"),
        Step(20, "heal", slow),
    )
    assert it.expect[1:3] == (Expectation("write-outage", "at_least", 5), Expectation("gtid-equal", "equals", True))
    assert (it.faults, it.unhealed) == ((slow, cut), (cut,))


@pytest.mark.parametrize(("setting", "primary"), [("", "web1"), ("primary: web2\n", "web2"), ("primary: any\n", "")])
def test_an_experiment_says_who_is_primary_while_it_runs(setting: str, primary: str) -> None:
    """The first database, unless it says another one, or takes them as they are."""
    assert experiment_file.parse("short", SHORT + setting, LAB).primary == primary


def test_a_primary_that_is_no_database_is_a_mistake() -> None:
    """With those that there are."""
    with pytest.raises(BadInput, match=r"primary: must be a node with a database; one of: any, web1, web2"):
        experiment_file.parse("short", f"{SHORT}primary: lb1\n", LAB)


def test_a_heal_during_a_command_is_told_as_such() -> None:
    """The frozen primary of a shipped experiment wakes while the promotion runs."""
    it = experiment_file.find("old-primary-wakes", LAB)
    assert [step.during_command for step in it.steps] == [False, False, True]


def test_what_a_file_does_not_say_has_a_default() -> None:
    """Durable, 6 requests a second, 10 % of them writes, a minute; the balancer is taken as it is."""
    it = experiment_file.parse("short", SHORT, LAB)
    assert (it.stage, it.durability, it.algorithm, it.mode) == ("distributed", "durable", None, None)
    assert it.load == Load(rate=6, write_share=0.1, processes=1)
    assert (it.warm_up_s, it.measure_s, it.settle_s, it.seed, it.steps) == (10, 60, 180, 1, ())


def test_the_timeline_gets_what_the_checks_need() -> None:
    """Who reads a run folder later needs no file of the experiment."""
    assert experiment_file.parse("short", SHORT, LAB).as_data() == {
        "name": "short",
        "title": "t",
        "question": "q",
        "stage": "distributed",
        "durability": "durable",
        "algorithm": None,
        "mode": None,
        "primary": "web1",
        "staleness_s": 2.0,
        "seed": 1,
        "load": {"rate": 6, "write_share": 0.1, "processes": 1, "rates": ()},
        "without": [],
        "expect": [{"check": "failed-gets", "at_most": 0}],
    }


def test_protections_can_be_taken_away_for_a_run() -> None:
    """In the order of the file; the timeline is told."""
    it = experiment_file.parse("short", f"{SHORT}without: [write-safety, unique-key]\n", LAB)
    assert it.without == ("write-safety", "unique-key")
    assert it.as_data()["without"] == ["write-safety", "unique-key"]


def test_a_step_that_never_comes_is_refused() -> None:
    """The run would pass without it."""
    with pytest.raises(BadInput, match=r"steps\.0\.at: must be a finite number"):
        experiment_file.parse("never", f"{SHORT}steps: [{{at: .inf, command: lab.provision}}]\n", LAB)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("without: [retry]", r"without\.0: 'retry' is not a protection; did you mean retries\?"),
        ("without: [retries, retries]", r"without\.1: retries stands here twice"),
        ("without: retries", r"without: must be a list"),
        ("without: [1]", r"without\.0: must be a text"),
        ("without: [retries]\nsteps: [{at: 1, command: lab.provision}]", r"steps\.0\.command: a command may converge"),
    ],
)
def test_a_protection_that_can_not_be_taken_away_is_refused(text: str, message: str) -> None:
    """An unknown one, one twice, and a step that would put it back in the middle of the run."""
    with pytest.raises(BadInput, match=message):
        experiment_file.parse("short", f"{SHORT}{text}\n", LAB)


def test_a_promotion_may_lack_a_protection() -> None:
    """It puts nothing back."""
    it = experiment_file.parse(
        "short", f"{SHORT}without: [fencing]\nsteps: [{{at: 1, command: db.promote web2}}]\n", LAB
    )
    assert (it.without, it.steps[0].command) == (("fencing",), "db.promote web2")


@pytest.mark.parametrize(
    ("before", "step"),
    [("", "inject: {kind: freeze, node: web2}"), ("- {at: 1, command: db.promote web2}\n", "command: db.promote web1")],
    ids=["before any command", "a command itself"],
)
def test_only_a_fault_or_a_heal_after_a_command_happens_during_it(before: str, step: str) -> None:
    """Elsewhere it would say something that never comes true."""
    with pytest.raises(BadInput, match="during_command: is for a fault or a heal that stands after a command"):
        experiment_file.parse("it", f"{SHORT}steps:\n{before}- {{at: 2, during_command: true, {step}}}\n", LAB)


def test_a_fault_can_come_back_after_it_was_healed() -> None:
    """Only what is active now stands in the way."""
    once = "{kind: freeze, node: web2}"
    steps = "".join(f"- {{at: {at}, {act}: {once}}}\n" for at, act in ((1, "inject"), (2, "heal"), (3, "inject")))
    it = experiment_file.parse("again", f"{SHORT}steps:\n{steps}", LAB)
    assert len(it.faults) == 2
    assert it.unhealed == (Fault("freeze", "web2"),)


@pytest.mark.parametrize(
    ("acts", "story"),
    [("", False), ("inject heal", False), ("inject heal inject", True), ("inject heal inject heal", True)],
)
def test_faults_that_come_one_after_the_other_are_a_story(acts: str, story: bool) -> None:
    """Injected together they would be another experiment: both servers down, where one after the other was meant."""
    words = [f"- {{at: {at}, {act}: {{kind: freeze, node: web2}}}}\n" for at, act in enumerate(acts.split())]
    steps = f"steps:\n{''.join(words)}" if words else ""
    assert experiment_file.parse("rolling", f"{SHORT}{steps}", LAB).is_story is story


def test_a_load_that_changes_is_a_story() -> None:
    """In rounds there would be no crowd: the matrix once ran it so."""
    crowd = next(it for it in shipped(LAB) if it.name == "crowd")
    assert crowd.faults and crowd.is_story


def test_a_command_that_fails_fails_the_run_unless_the_file_says_otherwise() -> None:
    """Nobody has to think of it."""
    steps = "steps: [{at: 1, command: db.promote web2}]\n"
    text = SHORT.replace("]", ", {check: failed-commands, reported: true}]") + steps
    assert experiment_file.parse("it", SHORT + steps, LAB).expect[-1] == Expectation("failed-commands", "at_most", 0)
    assert experiment_file.parse("it", text, LAB).expect[-1] == Expectation("failed-commands", "reported", True)
    assert "failed-commands" not in [it.check for it in experiment_file.parse("it", SHORT, LAB).expect]


def test_a_name_that_does_not_exist_is_answered_with_the_one_that_was_meant() -> None:
    """A typing mistake is exit code 2, and no file outside of the folder can be named."""
    assert experiment_file.find("whole", LAB, CASES).name == "whole"
    with pytest.raises(BadInput, match=r"(?s)no experiment 'whol'.*did you mean whole\?"):
        experiment_file.find("whol", LAB, CASES)
    with pytest.raises(BadInput, match=r"no experiment '\.\./plans/whole'"):
        experiment_file.find("../plans/whole", LAB, CASES)


def test_no_fault_ends_by_itself_while_an_experiment_measures(tmp_path: Path) -> None:
    """Whatever is measured for as long as a network fault's timer runs is refused."""
    path = tmp_path / "long.yml"
    path.write_text(f"{SHORT}measure_s: {inject_and_heal.TIMER_S}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="measure_s"):
        experiment_file.load(path, LAB)


@pytest.mark.parametrize("check", ["[detected, recovered]", "{detected: 1}", "1"])
def test_what_is_no_name_of_a_check_is_refused_at_its_place(check: str) -> None:
    """As every other mistake, whatever kind of thing it is."""
    with pytest.raises(BadInput, match=r"expect\.0\.check: must be a text"):
        experiment_file.parse("it", SHORT.replace("failed-gets", check), LAB)


def test_a_bound_that_no_float_can_hold_is_no_number() -> None:
    """Nothing that a check finds can be compared with it, and nobody could read it."""
    with pytest.raises(BadInput, match=r"expect\.0\.at_most: must be a number"):
        experiment_file.parse("it", SHORT.replace("0", "9" * 400), LAB)


def test_a_server_that_stays_drained_is_a_mistake() -> None:
    """The run would wait for it in vain; one that comes back is none."""
    drained = SHORT + "steps: [{at: 5, command: lb.drain web2}]\n"
    with pytest.raises(BadInput, match=r"add a step with lb\.ready web2"):
        experiment_file.parse("drained", drained, LAB)
    assert experiment_file.parse("back", drained[:-2] + ", {at: 9, command: lb.ready web2}]\n", LAB).steps
