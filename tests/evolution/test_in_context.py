"""Runs whose update is told, not trained: accepted or rejected, taken back, killed and resumed, for a served model."""

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from note_reader import script
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.agents.memory.told import ToldAgent
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Rollout
from palaestra.agents.specs import load_agent
from palaestra.envs import make
from palaestra.envs.errors import ContractError, RunError, UsageError
from palaestra.envs.telling import LESSON
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evolve import evolve, resume
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.recipes.own import own_recipe
from palaestra.evolution.run import Run
from palaestra.evolution.spending import added_up
from palaestra.evolution.updating.in_context.learner import _Compared
from palaestra.evolution.updating.in_context.update import InContext, Validation
from palaestra.evolution.view import Silent
from palaestra.evolution.yard import Yard

ENV = "codebook?code=1&size=600"
SMALL = {"acquire.groups": 12, "evaluate.tasks": 20, "update.validate.tasks": 12, "steps": 4, "evaluate_every": 2}


@pytest.fixture
def spec(served):
    server = served(script)
    return f"http:m@{server.url}?concurrency=16"


def begin(recipe, policy, directory, env=ENV, **more):
    objective = Objective("codes", (env,))
    return evolve(recipe, objective=objective, policy=policy, seed=0, directory=directory, view=Silent(), **more)


def learn(name, policy, directory, **more):
    return begin(find_recipe(name, SMALL | more), policy, directory, settings=SMALL | more)


def facts(directory):
    with Run.open(directory, read_only=True) as run:
        stores = (run.experience, run.evaluations, run.studies)
        shards = [{shard: store.digest(shard) for shard in store.shards()} for store in stores]
        # What was answered before a kill is not asked for, or paid, again.
        rows = [
            {k: v for k, v in row.items() if k != "time" and "seconds" not in k and not k.startswith("server/")}
            for row in run.metrics.rows()
        ]
        _, checkpoint = run.latest_checkpoint()
        context = Context.load(checkpoint)
        memory = [(entry.id, entry.as_json()) for entry in context.memory.entries()]
        return shards, rows, run.lineage(), memory, context.digest, sorted(p.name for p in run.contexts.iterdir())


def take_back(directory, step, studied):
    """Leave of a finished run what a kill in mid-update after `step` would have left."""
    (directory / "result.json").unlink()
    for folder in ("checkpoints", "experience", "evaluations"):
        for path in (directory / folder).glob("step-*"):
            if int(path.stem[5:11]) > step + (folder == "experience"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (directory / "studies").glob("step-*"):
        number, question = map(int, re.findall(r"\d+", path.name)[:2])
        if number > step + 1 or (number == step + 1 and question >= studied):
            path.unlink()


@pytest.mark.parametrize("name", ["reflexion", "expel"])
def test_a_served_model_learns_a_code_it_is_never_told(name, spec, tmp_path):
    result = learn(name, spec, tmp_path / "run")
    assert result.score_before.accuracy.value < 0.4
    assert result.score_after.accuracy.value == 1.0
    with Run.open(tmp_path / "run", read_only=True) as run:
        _, checkpoint = run.latest_checkpoint()
        memory = Context.load(checkpoint).memory
        book, usual = make(ENV).book, make("codebook").book
        changed = {f"{word}={digit}" for word, digit in book.items() if usual[word] != digit}
        assert {entry.text for entry in memory.entries(Kind.INSIGHT)} == changed
        episodes = {episode.id: episode for store in (run.experience, run.studies) for episode in store.episodes()}
        for entry in memory.entries():
            assert entry.provenance.run == str(tmp_path / "run")
            origin = episodes[entry.provenance.episode]
            assert origin.correct is (entry.kind is Kind.EPISODE)
            assert entry.provenance.author == spec
        assert bool(memory.entries(Kind.EPISODE)) is (name == "expel")
        lineage = [row["context"] for row in run.lineage() if "context" in row]
        assert any(row.get("accepted") for row in lineage)
        versions = {path.name for path in run.contexts.iterdir()}
        assert {row["before"] for row in lineage} | {row["after"] for row in lineage} == versions
        # Every episode says which version it was played with.
        told = {e.policy.partition("+context@")[2] for e in run.experience.episodes()} - {""}
        assert told
        assert told <= versions


def test_it_is_validated_on_tasks_that_are_neither_learned_from_nor_held_out(spec, tmp_path):
    learn("reflexion", spec, tmp_path / "run")
    with Run.open(tmp_path / "run", read_only=True) as run:
        tasks = {"play": set(), "validate": set()}
        for shard in run.studies.shards():
            tasks.setdefault(run.studies.lineage(shard)["what"], set()).update(
                e.fingerprint for e in run.studies.read(shard)
            )
        learned = {e.fingerprint for e in run.experience.episodes()} | tasks["play"]
        held = {task.fingerprint for task in make(ENV).tasks.split().test}
        assert len(tasks["validate"]) >= 12
        assert not tasks["validate"] & learned
        assert not (tasks["validate"] | learned) & held
        assert {e.fingerprint for e in run.evaluations.episodes()} <= held


@pytest.mark.parametrize(("step", "studied"), [(0, 0), (1, 1), (1, 2), (2, 0)])
def test_a_killed_run_ends_as_one_that_never_was(step, studied, spec, tmp_path):
    settings = {"steps": 3, "evaluate_every": 1, "update.validate.look_back": 1}
    learn("expel", spec, tmp_path / "run", **settings)
    whole = facts(tmp_path / "run")
    take_back(tmp_path / "run", step, studied)
    resume(tmp_path / "run", view=Silent())
    assert facts(tmp_path / "run") == whole


def test_what_a_server_was_asked_for_is_on_record(served, tmp_path):
    server = served(script)
    learn("reflexion", f"http:m@{server.url}", tmp_path / "run", steps=1)
    with Run.open(tmp_path / "run", read_only=True) as run:
        (usage,) = added_up(list(run.metrics.rows()), "m")
    assert usage["requests"] == len(server.heard) > 0


def test_what_was_answered_is_not_asked_again(served, tmp_path):
    lives = []

    def moody(heard):
        """Answers lessons otherwise in each life, as a server may."""
        said = script(heard)
        if "One short note" in heard.body["messages"][-1]["content"]:
            said.body["choices"][0]["message"]["content"] += f" life {len(lives)}"
        return said

    server = served(moody)
    learn("reflexion", f"http:m@{server.url}", tmp_path / "run", steps=1)
    first = facts(tmp_path / "run")
    take_back(tmp_path / "run", 0, 1)
    lives.append(1)
    before = len(server.heard)
    resume(tmp_path / "run", view=Silent())
    assert facts(tmp_path / "run")[0][2]["step-000001.0"] == first[0][2]["step-000001.0"]
    asked = [heard.body["messages"][-1]["content"] for heard in server.heard[before:]]
    again = facts(tmp_path / "run")
    notes = [entry["text"] for _, entry in again[3]]
    assert notes
    assert any(note.endswith("life 0") for note in notes), "the first answers were recorded"
    assert asked


def test_a_run_is_an_agent_that_brings_its_context(spec, tmp_path):
    learn("reflexion", spec, tmp_path / "run")
    name = f"run:{tmp_path / 'run'}"
    scores = {
        step: HeldOut(tasks=20).score(Rollout(load_agent(f"{name}{step}")), ENV, 0).accuracy.value
        for step in ("@0", "@4", "")
    }
    assert scores["@0"] < 0.4
    assert scores["@4"] == scores[""] == 1.0
    agent = load_agent(f"{name}?stop=%0A", sampling=Sampling(max_tokens=9))
    assert isinstance(agent, ToldAgent)
    assert agent.agent.stop == ("\n",)
    with pytest.raises(UsageError, match="holds no weights"):
        load_agent(name, trainable=True)
    # It is also where another run may begin.
    result = learn("reflexion", name, tmp_path / "more", steps=1)
    assert result.score_before.accuracy.value == 1.0


@dataclass(frozen=True)
class Say:
    """Proposes fixed notes in turn."""

    notes: tuple[tuple[str, ...], ...]

    def __call__(self, present, episodes, study):
        draft = Context("", present.draft().memory, present.recall)
        for entry in draft.memory.entries():
            draft.memory.remove(entry.id)
        study.notes["seen"] = study.notes.get("seen", 0) + len(episodes)
        for note in self.notes[study.step - 1]:
            draft.memory.add(Kind.INSIGHT, note, provenance=study.provenance())
        return draft


def saying(*notes, **validation):
    return Recipe(
        name="say",
        acquire=SampleGroups(groups=4, attempts=1),
        refine=(),
        update=InContext(Say(notes), validate=Validation(tasks=12, **validation)),
        evaluate=HeldOut(tasks=20),
        steps=len(notes),
        evaluate_every=1,
        checkpoint_every=1,
    )


def code(env=ENV, off=0):
    return tuple(f"{word}={(digit + off) % 10}" for word, digit in make(env).book.items())


def contexts(directory):
    with Run.open(directory, read_only=True) as run:
        return [row["context"] for row in run.lineage()]


def test_right_notes_raise_held_out_accuracy_and_wrong_ones_never_get_in(spec, tmp_path):
    result = begin(saying(code(), code(off=1)), spec, tmp_path / "run")
    accuracy = [e.scores[0].accuracy.value for e in result.history]
    assert accuracy[0] < 0.4
    assert accuracy[1:] == [1.0, 1.0]
    first, second = contexts(tmp_path / "run")
    assert (first["accepted"], second["accepted"]) == (True, False)
    assert second["validation"]["after"] == 0.0
    assert second["before"] == second["after"] == first["after"]
    assert [e.version for e in result.history] == [0, 1, 1]


def test_wrong_notes_that_were_let_in_lower_accuracy_and_are_taken_back(spec, tmp_path):
    """A validation that accepts everything is a bad one; looking back mends what it let in."""
    recipe = saying(code(), code(off=1), (), gain=-1.0, look_back=0)
    result = begin(recipe, spec, tmp_path / "bad")
    accuracy = [e.scores[0].accuracy.value for e in result.history]
    assert accuracy[1] == 1.0
    assert accuracy[2] == 0.0

    @dataclass(frozen=True)
    class Once(Say):
        def __call__(self, present, episodes, study):
            return super().__call__(present, episodes, study) if study.step < 3 else None

    revised = InContext(Once(recipe.update.revise.notes), validate=Validation(tasks=12, gain=-1.0, look_back=3))
    result = begin(replace(recipe, update=revised), spec, tmp_path / "mended")
    assert [e.scores[0].accuracy.value for e in result.history][1:] == [1.0, 0.0, 1.0]
    *_, last = contexts(tmp_path / "mended")
    assert last["looked_back"]["rolled_back"]
    assert last["after"] == contexts(tmp_path / "mended")[0]["after"]
    assert [e.version for e in result.history] == [0, 1, 2, 1]


def test_a_method_that_asks_otherwise_at_the_replay_is_stopped(spec, tmp_path):
    moods = iter("ab")

    @dataclass(frozen=True)
    class Moody:
        def __call__(self, present, episodes, study):
            study.ask([f"{next(moods)}Answer like ba=1 de=2: ba"])

    recipe = replace(saying(()), update=InContext(Moody()))
    settings = {"recipe": recipe}
    begin(recipe, spec, tmp_path / "run")
    take_back(tmp_path / "run", 0, 9)
    from palaestra.evolution import evolve as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_recipe_of", lambda run: settings["recipe"])
        with pytest.raises(RunError, match="other questions"):
            resume(tmp_path / "run", view=Silent())


def test_held_out_tasks_cannot_be_played_by_a_method(spec, tmp_path):
    @dataclass(frozen=True)
    class Cheat:
        def __call__(self, present, episodes, study):
            study.play(study.yard.split(study.env).test[:1], present)

    with pytest.raises(ContractError, match="held out"):
        begin(replace(saying(()), update=InContext(Cheat())), spec, tmp_path / "run")


def test_what_needs_weights_is_refused(spec, tmp_path):
    recipe = find_recipe("reflexion")
    for wrong in ({"staleness": 1}, {"engine": "vllm"}):
        with pytest.raises(UsageError):
            begin(recipe, spec, tmp_path / "run", **wrong)
    with pytest.raises(UsageError, match="weights"):
        begin(find_recipe("grpo"), spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_tasks_set_aside_must_be_some():
    yard = Yard(Rollout(load_agent("scripted:random")), 0, aside=0.0001)
    with pytest.raises(UsageError, match="set aside"):
        yard.validation("codebook?code=1&size=50")


PAGE = (Path(__file__).parents[2] / "docs" / "in-context.md").read_text()


def test_the_pages_examples_run(spec, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    memory, method = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(memory, {"__name__": "page"})
    assert "red key" in capsys.readouterr().out
    assert json.loads(Path("memory.jsonl").read_text())["provenance"]["author"] == "me"
    asked = "The judge: {e.verdict.detail}" + LESSON.replace("\n", "\\n")
    method = method.replace("{e.verdict.detail}\\nA rule?", asked)
    recipe = own_recipe(method, "told.py")
    recipe = replace(recipe, acquire=SampleGroups(groups=4, attempts=1), steps=1)
    assert begin(recipe, spec, tmp_path / "run").used == 4


def test_few_tasks_are_no_proof_that_a_context_is_worse():
    assert not _Compared(3, 1.0, 1 / 3, 1 / 3).surely_worse, "two of three tasks lost may be chance"
    assert _Compared(30, 1.0, 1 / 3, 0.1).surely_worse
    assert not _Compared(1, 1.0, 0.0, float("inf")).surely_worse
    assert not _Compared(0, 0.0, 0.0, 0.0).surely_worse
