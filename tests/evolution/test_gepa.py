"""Instructions evolved on a front of candidates: who is on it, who is merged, what it costs, and after a kill."""

import json
from dataclasses import replace

import numpy as np
import pytest
from note_reader import answer, script
from palaestra.agents.memory.context import Context, Recall
from palaestra.agents.memory.entry import Kind
from palaestra.agents.memory.memory import Memory
from palaestra.agents.memory.told import ToldAgent
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.telling import reflection_prompt
from palaestra.evolution.evolve import resume
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.run import Run
from palaestra.evolution.updating.in_context.gepa import Gepa, read_instructions
from palaestra.evolution.updating.in_context.pool import Candidate, Merge, Pool, merge_lines
from palaestra.evolution.updating.in_context.study import ASKED, Study
from palaestra.evolution.view import Silent
from palaestra.evolution.yard import Yard
from says import Says
from test_in_context import begin, facts, take_back

SMALL = {
    "acquire.groups": 9,
    "evaluate.tasks": 20,
    "update.validate.tasks": 8,
    "update.revise.pareto": 10,
    "steps": 4,
    "evaluate_every": 4,
}


def pool(*rows, merged=()):
    """Candidates of (scores, parents), named by their numbers."""
    return Pool(tuple(Candidate(str(n), scores, parents) for n, (scores, parents) in enumerate(rows)), merged)


def test_the_front_holds_who_is_best_somewhere_and_not_outdone_everywhere():
    rows = [((0, 0, 1, 0), ()), ((1, 0, 1, 0), (0,)), ((0, 1, 0, 0), (0,)), ((0, 0, 0, 0), (0,))]
    # Task 3 nobody solves, so that all are best there; 0 and 3 are outdone everywhere.
    assert pool(*rows).wins() == {1: 3, 2: 2}
    drawn = [pool(*rows).sample(np.random.default_rng(seed)) for seed in range(400)]
    assert set(drawn) == {1, 2}
    assert drawn.count(1) / 400 == pytest.approx(3 / 5, abs=0.08)
    # What did not count is no best score, and no reason to be outdone.
    assert pool(((None, 1), ()), ((0, None), (0,))).wins() == {0: 1, 1: 1}
    assert pool(((1, None), ()), ((1, 0), (0,))).wins() == {0: 1, 1: 2}
    assert pool(((0, None), ()), ((1, 1), (0,))).wins() == {1: 2}
    assert pool(((None, None), ())).sample(np.random.default_rng(0)) == 0
    assert pool(((0, 1), ()), ((1, 0), (0,)), ((1, 1), (0,))).best.instructions == "2"
    assert pool(((None, 1), ())).best.mean == 1.0


def test_two_of_one_ancestor_may_be_merged_once():
    rows = [((0, 0, 0), ()), ((1, 0, 0), (0,)), ((0, 1, 0), (0,)), ((0, 0, 1), (1,)), ((0, 1, 1), (2, 3))]
    assert pool(*rows[:3]).mergeable() == [Merge(1, 2, 0)]
    assert pool(*rows[:3], merged=(Merge(1, 2, 0),)).mergeable() == []
    assert pool(*rows).ancestors(4) == {0, 1, 2, 3}
    assert pool(*rows[:2], ((0, 1, 0), (1,))).mergeable() == [], "one comes from the other"
    better = [((1, 1, 0), ()), ((1, 0, 1), (0,)), ((0, 0, 2), (0,))]
    assert pool(((0, 1, 1), ()), ((2, 0, 0), (0,)), ((0, 2, 0), (0,))).mergeable() == [Merge(1, 2, 0)]
    assert pool(*better[:1], ((0, 0, 1), (0,)), ((1, 0, 0.5), (0,))).mergeable() == [], "the ancestor is better"
    kept = pool(*rows, merged=(Merge(1, 2, 0),))
    assert Pool.from_json(json.loads(json.dumps(kept.as_json()))) == kept


@pytest.mark.parametrize(
    ("ancestor", "one", "other", "merged"),
    [
        ("", "a\nb", "c", "a\nb\nc"),
        ("", "a\nb", "b\nc", "a\nb\nc"),
        ("x\ny", "x\na\ny", "x\ny\nc", "x\na\ny\nc"),
        ("x\ny", "x", "z\ny", "z"),
        ("x\ny", "x\nY", "X\ny", "X\nY"),
        ("x", "x", "y", "y"),
    ],
)
def test_a_merge_has_what_both_changed(ancestor, one, other, merged):
    assert merge_lines(ancestor, one, other) == merged


def test_instructions_are_read_from_the_last_block():
    assert read_instructions("Well:\n```\nold\n```\nno:\n```text\nnew\nlines\n```\n.") == "new\nlines"
    assert read_instructions(" only \n this ") == "only \n this"
    asked = reflection_prompt("", [("q1", "a1", "bad"), ("q2", "a2", "correct")])
    assert "(nothing)" in asked
    assert "Task: q1\nReply: a1\nThe judge: bad\nTask: q2\nReply: a2\nThe judge: correct\n" in asked
    for wrong in ({"minibatch": 0}, {"pareto": 0}, {"merges": -1}, {"budget": 0}):
        with pytest.raises(UsageError):
            Gepa(**wrong)


@pytest.fixture
def spec(served):
    return f"http:m@{served(script).url}?concurrency=16"


def learn(policy, directory, **more):
    settings = SMALL | more
    return begin(find_recipe("gepa", settings), policy, directory, settings=settings)


def remembered(run):
    _, checkpoint = run.latest_checkpoint()
    return json.loads((checkpoint / "learner.json").read_text())["notes"], Context.load(checkpoint)


def rollouts(run):
    studied = (e for e in run.studies.episodes() if e.env != ASKED)
    return len([*run.experience.episodes(), *studied])


@pytest.mark.parametrize("writes", ["whole", "lines"])
def test_a_served_model_evolves_what_it_is_told(writes, spec, tmp_path):
    result = learn(spec, tmp_path / "run", **{"update.revise.writes": writes})
    assert result.score_before.accuracy.value < 0.4
    assert result.score_after.accuracy.value == 1.0
    with Run.open(tmp_path / "run", read_only=True) as run:
        notes, context = remembered(run)
        found = Pool.from_json(notes["pool"])
        assert context.instructions == found.best.instructions
        assert len(context.memory) == 0
        assert found.candidates[0].parents == ()
        assert all(candidate.parents for candidate in found.candidates[1:])
        # Every score is that of an episode on record, played by the context of that digest.
        for candidate in found.candidates:
            told = replace(context, instructions=candidate.instructions)
            assert told.digest == candidate.digest
            played = {
                e.task: e.reward
                for shard in run.studies.shards()
                if run.studies.lineage(shard)["context"] == candidate.digest
                and run.studies.lineage(shard)["what"] == "play"
                for e in run.studies.read(shard)
            }
            assert [played[task] for task in notes["pareto"]] == list(candidate.scores)
        assert notes["rollouts"] == rollouts(run)


def test_candidates_of_one_ancestor_are_merged(tmp_path):
    world = make("codebook?code=1&size=300")
    usual = make("codebook?size=1").book
    news = [f"{word}={digit}" for word, digit in world.book.items() if usual[word] != digit]
    yard = Yard(Rollout(Says(answer), make=lambda _: world), 0, aside=0.2)

    def played(tasks, instructions=""):
        agent = ToldAgent(Says(answer), Context(instructions))
        assignments = [Assignment(task.id, "x", task, 0) for task in tasks]
        return Rollout(agent, make=lambda _: world).play(assignments)

    def step(merges, folder):
        notes = {}
        study = Study(yard, "x", 1, Says(answer), ExperienceStore(folder), "run", Sampling(), Sampling(), 8, notes)
        tasks = study.tasks
        rows = [("", ()), (news[0], (0,)), (news[1], (0,))]
        scored = [Candidate(t, tuple(e.reward for e in played(tasks[:40], t)), parents) for t, parents in rows]
        notes |= {"pareto": [task.id for task in tasks[:40]], "pool": Pool(tuple(scored)).as_json()}
        failed = [episode for episode in played(tasks[40:]) if news[2] in episode.verdict.detail][:3]
        proposal = Gepa(merges=merges)(Context(), failed, study)
        return Pool.from_json(notes["pool"]), proposal

    found, proposal = step(5, tmp_path / "merged")
    *_, child, merged = found.candidates
    assert child.parents in {(1,), (2,)}
    other = 3 - child.parents[0]
    assert found.merged == (Merge(other, 3, 0),)
    assert merged.parents == (other, 3)
    assert set(merged.instructions.splitlines()) == set(news)
    assert merged.mean == 1.0
    assert proposal.instructions == merged.instructions
    found, _ = step(0, tmp_path / "never")
    assert (len(found.candidates), found.merged) == (4, ())


def test_lines_are_told_as_notes_are():
    memory = Memory()
    for line in ("ba=3", "de=4"):
        memory.add(Kind.INSIGHT, line)
    assert Context("Notes:\nba=3\nde=4").tell("q") == Context("", memory, Recall()).tell("q")


@pytest.mark.parametrize("budget", [20, 100])
def test_a_budget_of_rollouts_is_kept(budget, spec, tmp_path):
    learn(spec, tmp_path / "run", **{"update.revise.budget": budget})
    with Run.open(tmp_path / "run", read_only=True) as run:
        studied = rollouts(run) - sum(1 for _ in run.experience.episodes())
        notes, _ = remembered(run)
        assert notes["rollouts"] == rollouts(run)
        assert (studied > 0) is (budget == 100)
        assert studied < budget
        assert ("pool" in notes) is (budget == 100)


@pytest.mark.parametrize(("step", "studied"), [(0, 0), (0, 3), (1, 2), (2, 1)])
def test_a_killed_run_ends_as_one_that_never_was(step, studied, spec, tmp_path):
    settings = {"steps": 3, "evaluate_every": 1, "update.validate.look_back": 2, "acquire.groups": 3}
    learn(spec, tmp_path / "run", **settings)
    whole = facts(tmp_path / "run")
    with Run.open(tmp_path / "run", read_only=True) as run:
        before = remembered(run)
    take_back(tmp_path / "run", step, studied)
    resume(tmp_path / "run", view=Silent())
    assert facts(tmp_path / "run") == whole
    with Run.open(tmp_path / "run", read_only=True) as run:
        after = remembered(run)
    assert (after[0], after[1].digest) == (before[0], before[1].digest)
