"""Operations on insights, trials, and programs that are verified before they enter a library."""

from dataclasses import replace

import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind, Provenance
from palaestra.agents.memory.memory import Memory
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.scripted import ConstantAgent
from palaestra.envs import make
from palaestra.envs.code.judge import CodeJudge
from palaestra.envs.errors import UsageError
from palaestra.envs.question import QuestionEnv
from palaestra.envs.task import HELD_OUT_SHARE, Task, TaskSet
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.updating.in_context.expel import Expel, Operation, carry_out, read_operations
from palaestra.evolution.updating.in_context.study import Study
from palaestra.evolution.updating.in_context.trials import Trials, said
from palaestra.evolution.updating.in_context.voyager import CollectSkills
from palaestra.evolution.yard import Yard
from says import Says

ORIGIN = Provenance(author="test")


def test_operations_are_read_line_by_line():
    reply = "So:\nADD: look left: always\n- edit 2: look right\nUPVOTE 1\ndownvote 3.\nADD\nEDIT 4\nADD 3 coins\nUPVOTE"
    assert read_operations(reply) == [
        Operation("ADD", 0, "look left: always"),
        Operation("EDIT", 2, "look right"),
        Operation("UPVOTE", 1, ""),
        Operation("DOWNVOTE", 3, "."),
        Operation("ADD", 0, "3 coins"),
    ]


def test_words_that_begin_like_an_operation_are_none():
    assert read_operations("Address the carry first\nAdditional notes: none\nEdited 1: x\nUpvotes 2") == []
    assert read_operations("ADD1: x") == [Operation("ADD", 0, "1: x")]
    assert read_operations("EDIT2: x\nUPVOTE3") == [Operation("EDIT", 2, "x"), Operation("UPVOTE", 3, "")]


def test_insights_come_with_two_votes_and_go_without_any():
    memory = Memory()
    for text in ("a", "b", "c"):
        assert carry_out(Operation("ADD", 0, text), [], memory, ORIGIN)
    shown = memory.entries()
    assert [entry.votes for entry in shown] == [2, 2, 2]
    assert carry_out(Operation("UPVOTE", 1, ""), shown, memory, ORIGIN)
    assert carry_out(Operation("EDIT", 2, "better"), shown, memory, ORIGIN)
    for _ in range(2):
        assert carry_out(Operation("DOWNVOTE", 3, ""), shown, memory, ORIGIN)
    assert not carry_out(Operation("DOWNVOTE", 3, ""), shown, memory, ORIGIN)
    assert not carry_out(Operation("EDIT", 4, "x"), shown, memory, ORIGIN)
    assert [(entry.text, entry.votes) for entry in memory.entries()] == [("a", 3), ("better", 3)]


def study(env, world, agent, folder, step=1):
    yard = Yard(Rollout(agent, make=lambda _: world), 0, aside=0.2)
    store = ExperienceStore(folder)
    return Study(yard, env, step, agent, store, "run", Sampling(), Sampling(), 4, {})


def guessed(observation):
    """The last note that is told; as a lesson, what the judge said."""
    if "The judge: " in observation:
        return observation.split("The judge: ")[1].split("\n")[0]
    return observation.split("\n")[-3] if "Notes:" in observation else "?"


def stepwise(task, reply):
    """A judge that leads from ? by one word at a time to the answer."""
    steps = ["?", *str(task.reference).split()]
    place = steps.index(reply) if reply in steps else 0
    if place == len(steps) - 1:
        return Verdict(1.0, Status.CORRECT)
    return Verdict(0.0, Status.WRONG, steps[place + 1])


@pytest.mark.parametrize(("most", "solved"), [(2, 1), (3, 2), (4, 3)])
def test_lessons_of_a_task_lead_through_its_trials(most, solved, tmp_path):
    drawn = (Task(f"{n}.{i}", f"q{n}.{i}", " ".join("abc"[:n])) for n in (1, 2, 3) for i in range(9))
    left = [task for task in drawn if not task.held_out(HELD_OUT_SHARE)]
    tasks = TaskSet([next(task for task in left if task.id[0] == n) for n in "123"])
    world = QuestionEnv(tasks, stepwise)
    work = study("x", world, Says(guessed), tmp_path)
    first = work.yard.rollout.play([Assignment(task.id, "x", task, 0) for task in tasks])
    stories = Trials(most)(Context(), first, work)
    assert [story.solved for story in stories] == [number < solved for number in range(3)]
    for number, story in enumerate(stories):
        assert story.lessons == tuple("abc"[: min(number + 1, most - 1)])
        assert len(story.episodes) == len(story.lessons) + 1
    assert Trials(most)(Context(), [story.episodes[-1] for story in stories if story.solved], work) == []


def test_each_trial_has_chances_of_its_own_however_few_lessons_are_told(tmp_path):
    drawn = (Task(f"{i}", f"q{i}", "a b c d e f") for i in range(9))
    tasks = TaskSet([next(task for task in drawn if not task.held_out(HELD_OUT_SHARE))])
    work = study("x", QuestionEnv(tasks, stepwise), Says(guessed), tmp_path)
    first = work.yard.rollout.play([Assignment(task.id, "x", task, 0) for task in tasks])
    (story,) = Trials(most=6, buffer=1)(Context(), first, work)
    assert len({episode.seed for episode in story.episodes}) == len(story.episodes) == 6


def test_successes_with_one_answer_are_remembered_each_with_its_task(tmp_path):
    world = make("arithmetic?size=50")
    tasks = [task for task in world.tasks if not task.held_out(HELD_OUT_SHARE)][:2]
    episodes = [right(world, task, "7", number) for number, task in enumerate(tasks)]
    draft = Expel()(Context(), episodes, study("arithmetic", world, ConstantAgent("x"), tmp_path))
    lived = draft.memory.entries(Kind.EPISODE)
    assert [(entry.text, entry.provenance.episode) for entry in lived] == [
        (f"{task.prompt}\n7", f"e{number}") for number, task in enumerate(tasks)
    ]


def test_what_was_said_in_several_turns_is_told_in_order():
    turns = (Turn("q", "one", "one", 0.0), Turn("no", "two", "two", 0.0))
    episode = Episode("e", "x", "t", "f", "g", 0, 0, "p", turns, Verdict(0.0, Status.WRONG))
    assert said(episode) == "one\n> no\ntwo"


def right(world, task, reply, number=0):
    turn = Turn(task.prompt, reply, reply, 1.0, Verdict(1.0, Status.CORRECT))
    return Episode(f"e{number}", "synthesis", task.id, task.fingerprint, "g", 0, 0, "p", (turn,), turn.verdict)


def test_programs_are_run_again_before_they_enter(tmp_path, monkeypatch):
    world = make("synthesis?size=50")
    tasks = list(world.tasks[:3])
    good = [world.solution(task)[0] for task in tasks]
    runs = []
    judge = CodeJudge.examine
    monkeypatch.setattr(CodeJudge, "examine", lambda self, task, reply: runs.append(reply) or judge(self, task, reply))
    work = study("synthesis", world, ConstantAgent("x"), tmp_path)
    episodes = [
        right(world, tasks[0], f"Here:\n```python\ndef f(x):\n    return {good[0]}\n```", 0),
        right(world, tasks[1], good[1], 1),
        right(world, tasks[2], "x if x < 10**9 and __import__('random').random() < 0 else -12345", 2),  # lucky once
        replace(right(world, tasks[2], good[2], 3), verdict=Verdict(0.0, Status.WRONG)),
    ]
    draft = CollectSkills(runs=2)(Context(), episodes, work)
    skills = draft.memory.entries(Kind.SKILL)
    assert [(skill.key, skill.provenance.episode) for skill in skills] == [
        (tasks[0].prompt, "e0"),
        (tasks[1].prompt, "e1"),
    ]
    assert skills[0].text == f"def f(x):\n    return {good[0]}"
    assert skills[1].text == good[1]
    assert len(runs) == 5, "two good programs twice, the lucky one until it failed"
    replayed = study("synthesis", world, ConstantAgent("x"), tmp_path)
    assert CollectSkills(runs=2)(Context(), episodes, replayed).digest == draft.digest
    assert len(runs) == 5, "what was found out is on record"


def test_equal_programs_have_a_vote_for_each_task(tmp_path):
    world = make("synthesis?size=200")
    task, *others = world.tasks
    same = next(other for other in others if world.solution(other) == world.solution(task))
    program = world.solution(task)[0]
    episodes = [right(world, task, program, 0), right(world, task, f"{program} ", 1), right(world, same, program, 2)]
    work = study("synthesis", world, ConstantAgent("x"), tmp_path)
    (skill,) = CollectSkills(runs=1)(Context(), episodes, work).memory.entries(Kind.SKILL)
    assert (skill.text, skill.votes, skill.key, skill.provenance.episode) == (program, 2, task.prompt, "e0")


def test_a_library_is_for_programs(tmp_path):
    world = make("arithmetic?size=50")
    task = world.tasks[0]
    with pytest.raises(UsageError, match="programs"):
        CollectSkills()(Context(), [right(world, task, "1")], study("arithmetic", world, ConstantAgent("x"), tmp_path))
    fenced = right(world, task, "```\n1\n```")
    with pytest.raises(UsageError, match="programs"):
        CollectSkills()(Context(), [fenced], study("arithmetic", world, ConstantAgent("x"), tmp_path))
    for wrong in (lambda: CollectSkills(runs=0), lambda: Trials(most=1), lambda: Trials(buffer=0)):
        with pytest.raises(UsageError):
            wrong()
    assert Expel().trials == Trials()
