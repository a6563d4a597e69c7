"""Long documents: the answer is what the document says, lies where the metadata say, and is judged exactly."""

import re
from collections import Counter

import pytest
from palaestra.envs import make
from palaestra.envs.contracts import check_environment
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.reading.environment import NamesJudge
from palaestra.envs.reading.facts import DIRECTIONS, KINDS, Fact, asked, names
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status

FACT = {
    "document": re.compile(r"(\w+) sent (?:word|(\w+)) to (\w+)\."),
    "code": re.compile(r"def (\w+)\((\w+)?\): return (\w+)"),
    "database": re.compile(r"(\w+) \|(?: (\w+) \|)? (\w+)"),
}


def read(task):
    """Return the facts of a document, and the question with only its names and numbers left."""
    *segments, question = task.prompt.split("\n")
    facts = [Fact(*FACT[task.metadata["kind"]].fullmatch(segment).groups("")) for segment in segments]
    known = {name for fact in facts for name in fact if name}
    return facts, [word for word in re.findall(r"\w+", question) if word in known]


def found(task, chain):
    """Answer a question by reading, as a person would: which facts hold the answer, and what it is."""
    facts, (key, *again) = read(task)
    assert not set(again) - {key}
    first, middle, last = ({fact[i]: fact for fact in facts} for i in range(3))
    direction = task.metadata["direction"]
    assert len(first) == len(last) == len(facts) == (len(middle) if direction == "both" else len(facts))
    assert ("" in middle) is (direction != "both")
    if direction == "backward":
        way = [last[key]]
        while len(way) < chain:
            way.insert(0, last[way[0].first])
        return [facts.index(fact) for fact in way], way[0].first
    way = [first[key] if direction == "forward" else middle[key]]
    while len(way) < chain:
        way.append(first[way[-1].last])
    end = way[-1].last
    return [facts.index(fact) for fact in way], end if direction == "forward" else f"{way[0].first} {end}"


@pytest.mark.parametrize("chain", [1, 2, 3])
def test_the_answer_is_in_the_document_where_the_metadata_say(chain):
    env = make(f"reading?length=80&chain={chain}&size=300&seed=5")
    kinds = Counter((task.metadata["kind"], task.metadata["direction"]) for task in env.tasks)
    assert len(kinds) == 9
    for task in env.tasks:
        places, answer = found(task, chain)
        assert answer == task.reference
        last = task.metadata["segments"] - 1
        assert task.metadata["positions"] == [place / last for place in places]
        assert task.metadata["position"] == pytest.approx(sum(places) / len(places) / last)


def test_positions_are_uniform_or_at_the_ends():
    uniform = Counter(task.metadata["position"] for task in make("reading?kinds=document&size=3000").tasks)
    assert len(uniform) == 12
    # Four deviations of a binomial count.
    assert all(abs(count - 250) < 61 for count in uniform.values())
    ends = Counter(task.metadata["position"] for task in make("reading?kinds=document&positions=ends&size=400").tasks)
    assert sorted(ends) == pytest.approx([0, 1 / 11, 10 / 11, 1])


def test_short_documents_are_short_and_have_no_position():
    tasks = make("reading?short=0.3&size=1000").tasks
    short = [task for task in tasks if "position" not in task.metadata]
    assert 250 < len(short) < 350
    assert {task.metadata["segments"] for task in short} == {2, 3, 4}
    assert all(task.metadata["segments"] >= 12 for task in tasks if task not in short)
    assert all("position" not in task.metadata for task in make("reading?short=1&size=50").tasks)


def test_the_same_seed_writes_the_same_documents_and_another_does_not():
    digests = [make(f"reading?size=50&seed={seed}").tasks.digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_the_length_is_in_words():
    for length in (60, 400, 20_000):
        for task in make(f"reading?length={length}&size=6").tasks:
            document = task.prompt.rpartition("\n")[0]
            assert length - 5 < len(document.split()) <= length
    # All documents together have a size that fits into memory.
    assert len(make("reading?length=20000&size=0").tasks) == 250


def test_the_judge_takes_the_names_and_nothing_else():
    judge, task = NamesJudge(), Task("t", "?", "Lumo Rike")
    for reply in ("Lumo Rike", " lumo, rike.\n", "**Lumo** Rike"):
        assert judge(task, reply).status is Status.CORRECT
    for reply in ("Rike Lumo", "Lumo", "Lumo Rike Tafu", "Lumo and Rike", "LumoRike", "Lumo Rike " * 900):
        assert judge(task, reply).status is Status.WRONG
    assert judge(task, " .\n").status is Status.UNPARSED
    assert judge(Task("t", "?", 7), "Lumo").status is Status.BROKEN_TASK
    assert judge.answer_of("LUMO,\nrike!") == judge.answer_of("Lumo Rike") == "lumo rike"


def test_every_kind_in_every_direction_keeps_the_contract():
    for kind in KINDS:
        for direction in DIRECTIONS:
            check_environment(make(f"reading?kinds={kind}&directions={direction}&length=40&size=40"))


def test_a_chain_is_asked_about_from_its_ends():
    chain = [Fact("A", "M", "B"), Fact("B", "N", "C")]
    questions = [asked(KINDS["code"], direction, chain) for direction in DIRECTIONS]
    assert [answer for _, answer in questions] == ["C", "A", "A C"]
    assert all(key in question for (question, _), key in zip(questions, ("after A?", "before C?", "M"), strict=True))


def test_names_are_as_many_as_are_wanted_and_begin_alike():
    assert len(set(names(20_000))) == 20_000
    assert names(96) == names(6_000)[:96]


@pytest.mark.parametrize(
    "settings", ["length=9", "chain=0", "chain=13&kinds=document", "short=1.5", "short=0.1&chain=3"]
)
def test_what_cannot_be_asked_is_refused(settings):
    with pytest.raises(UsageError):
        make(f"reading?{settings}")


@pytest.mark.parametrize("settings", ["kinds=poem", "directions=sideways", "positions=middle"])
def test_an_unknown_name_is_refused_with_those_that_are_known(settings):
    with pytest.raises(UnknownNameError, match=r"document|forward|uniform"):
        make(f"reading?{settings}")
