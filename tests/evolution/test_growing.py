"""A pool of tasks that grows: what is asked for, what is refused and why, and that a killed run grows the same one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from killed_runs import evolve, facts, killed_after
from palaestra.agents.agent import Acting, Move
from palaestra.agents.nursery import Plan, born
from palaestra.agents.rollout import Rollout
from palaestra.envs.errors import InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.math.arithmetic import Difficulty, arithmetic_tasks
from palaestra.envs.sources import load_tasks
from palaestra.envs.task import HELD_OUT_SHARE, Task
from palaestra.envs.verdict import Status
from palaestra.evolution.acquisition.grow import GrowTasks, is_writing, workshop_of
from palaestra.evolution.acquisition.orders import Evolutions, Order, Series
from palaestra.evolution.acquisition.pool import Entry, Measure, pool_path, read_pool, write_pool
from palaestra.evolution.evaluation.growing import pool_figures
from palaestra.evolution.league import League
from palaestra.evolution.refinement.novelty import Gaining, Novel, Refusal, Worded, most_alike
from palaestra.evolution.refinement.writing import KeepSolving
from palaestra.evolution.yard import Yard
from scripted_server import Heard, Said, ScriptedServer, chat, failure

ENV = "arithmetic?digits=2&operands=3&fewest=2"
SUMS = arithmetic_tasks(Difficulty(2, 2, "+"), size=400)
FREE, HELD = ([task for task in SUMS if task.held_out(HELD_OUT_SHARE) is held] for held in (False, True))


class Pupil:
    """Writes by a script, and solves what it is not told to fail in."""

    name, policy = "pupil", None

    def __init__(self, writes: list[str], fails: tuple[str, ...] = ()) -> None:
        self.writes, self.fails = list(writes), fails

    def with_sampling(self, sampling: object) -> "Pupil":
        return self

    def enter(self, env: object, task: Task, seed: int) -> "Says":
        if isinstance(task.reference, dict):
            number = int(task.id.rpartition("/")[2].strip("'"))
            return Says(self.writes[number])
        return Says("0.5" if task.prompt in self.fails else str(task.reference))


class Says:
    def __init__(self, reply: str) -> None:
        self.reply = reply

    def act(self, observation: str) -> Acting:
        return Move(self.reply, self.reply)
        yield


def entry(text: str, name: str = "", operation: str = "", parents: tuple[str, ...] = ()) -> Entry:
    return Entry(Task(name or text, text, 0), text, 1 if operation else 0, operation, parents)


def yard(folder: Path, *arguments: object) -> Yard:
    return Yard(Rollout(Pupil(*arguments)), 0, League(folder / "league"))  # type: ignore[arg-type]


def written(task: Task) -> str:
    return task.prompt.removesuffix(" = ?").replace(" ", "")


def grow(**settings: object) -> GrowTasks:
    return GrowTasks(**{"count": 10, "explain": False, "groups": 12, "attempts": 2, "written": 0} | settings)  # type: ignore[arg-type]


def test_a_series_shows_six_seeds_and_two_that_were_written() -> None:
    pool = [*(entry(f"s{i}") for i in range(20)), *(entry(f"w{i}", operation="series") for i in range(5))]
    orders = Series()(pool, 30, np.random.default_rng(0))
    assert len(orders) == 30
    for order in orders:
        texts = [parent.text for parent in order.parents]
        assert len(set(texts)) == 8
        assert sum(text.startswith("s") for text in texts) == 6
    assert len({tuple(parent.text for parent in order.parents) for order in orders}) == 30
    assert any(order.parents[0].text.startswith("w") for order in orders), "in any order"
    begun = Series()(pool[:21], 5, np.random.default_rng(0))
    assert all(sum(parent.is_seed for parent in order.parents) == 7 for order in begun), "seeds take free places"


def test_only_the_newest_generation_is_evolved_and_failed_parents_again() -> None:
    pool = [entry("a"), entry("b"), entry("c"), entry("a2", operation="deepen", parents=("a",))]
    orders = Evolutions(("reason", "broaden"))(pool, 10, np.random.default_rng(0))
    assert [order.parents[0].text for order in orders] == ["b", "c", "a2"]
    many = [entry(str(i)) for i in range(200)]
    drawn = [order.operation for order in Evolutions()(many, 150, np.random.default_rng(0))]
    assert len(drawn) == 150
    assert min(drawn.count(operation) for operation in Evolutions().operations) > 10
    with pytest.raises(UnknownNameError, match="deepen"):
        Evolutions(("deeper",))


def test_vets_refuse_what_is_alike_badly_worded_or_no_more_than_its_parent() -> None:
    pool, order = [entry("add 3 and 4 now")], Order("deepen", (entry("37+48"),))
    alike = Novel()("add 3 and 5 now", order, pool)
    assert isinstance(alike, Refusal)
    assert str(alike.fate) == "alike"
    assert Novel()("take 3 from 5 please", order, pool) is None
    assert Novel(2.0)("add 3 and 4 now", order, pool) is None
    assert Novel(0.8)("add 3 and 5 now", order, pool) is not None, "exclusively"
    assert str(Worded()("+", order, pool).fate) == "wording"  # type: ignore[union-attr]
    assert Worded()("Draw a picture of it", order, pool) is not None
    assert Worded()("37+48", order, pool) is None
    for text, gains in (("48+37", False), ("3+4", False), ("37+48+1", True), ("1+" * 40 + "1", False)):
        assert (Gaining()(text, order, pool) is None) is gains
    assert Gaining()("3+4", Order("broaden", order.parents), pool) is None
    assert most_alike(["a b c d", "a b c e", "x y"]) == [0.75, 0.75, 0.0]


def test_each_text_is_taken_or_refused_with_a_reason(tmp_path: Path) -> None:
    place = yard(tmp_path, [])
    seeds = grow().seeded(place, ENV)
    taken = [written(task) for task in FREE if task.id not in {seed.task.id for seed in seeds}][:2]
    near = written(HELD[1])
    texts = [taken[0], "nonsense", written(HELD[0]), f"0{near}", taken[0].replace("+", " + "), seeds[0].text, taken[1]]
    place = yard(tmp_path, texts)
    lived = grow(written=len(texts))(place, ENV, 1)
    wrote = [e for e in lived if is_writing(e)]
    assert {e.env for e in wrote} == {workshop_of(ENV, explain=False)}
    fates = [e.verdict.detail.partition(":")[0] for e in wrote if not e.correct]
    assert fates == ["no task", "held out", "held out", "known", "known"]
    assert [e.correct for e in wrote] == [True, False, False, False, False, False, True]
    assert all(e.reward == e.correct and e.turns[-1].verdict == e.verdict for e in wrote)
    assert wrote[1].verdict.status is Status.UNPARSED
    assert not any(e.task and e.group and e.fingerprint and int(e.fingerprint[:16], 16) < 0.1 * 16**16 for e in lived)
    pool = read_pool(tmp_path, 1)
    assert [e.text for e in pool if not e.is_seed] == taken
    for number, new in zip((0, 6), pool[10:], strict=True):
        assert new.task.id == f"written/s1/{number}"
        assert new.operation == "series"
        assert new.writer == "pupil"
        assert new.step == 1
        assert len(new.parents) == 8
        assert set(new.parents) <= {seed.task.id for seed in seeds}
        assert new.measure == Measure(1.0, 2, 0)


def test_what_is_nearly_held_out_is_refused(tmp_path: Path) -> None:
    text = written(FREE[0])
    assert not grow(written=1, groups=1, near=0.99)(yard(tmp_path, [text]), ENV, 1)[0].verdict.detail.startswith("held")
    refused = grow(written=1, groups=1, near=0.4)(yard(tmp_path, [text]), ENV, 1)[0]
    assert "nearly" in refused.verdict.detail


def test_difficulty_is_measured_by_trying_and_what_nobody_solves_is_eliminated(tmp_path: Path) -> None:
    texts = [written(task) for task in FREE[:3]]
    place = yard(tmp_path, texts, (FREE[1].prompt,))
    settings = {"seeds": "arithmetic?digits=1", "written": 3, "groups": 5, "attempts": 3}
    lived = grow(unsolved=False, **settings)(place, ENV, 1)
    attempts = [e for e in lived if not is_writing(e)]
    assert len(attempts) == 5 * 3
    assert "none of 3 attempts" in lived[1].verdict.detail
    assert [e.text for e in read_pool(tmp_path, 1) if not e.is_seed] == [texts[0], texts[2]]
    kept = grow(**settings)(place, ENV, 1)
    assert kept[1].correct
    assert read_pool(tmp_path, 1)[-2].measure == Measure(0.0, 3, 0)


def test_a_model_on_a_server_writes_what_the_policy_then_tries(tmp_path: Path) -> None:
    texts, orders = [written(task) for task in FREE[:4]], list[str]()

    def says(heard: Heard) -> Said:
        asked = heard.body["messages"][0]["content"]
        if asked not in orders:
            orders.append(asked)
        number = orders.index(asked)
        if number == 1:  # however often it is asked
            return failure("no", 400)
        return Said(chat(f"Sure.\n**Task 9:** {texts[number]}\nTask 10: 1+1"))

    with ScriptedServer(says) as server:
        writer = f"http:m@{server.url}?concurrency=1"
        lived = grow(written=4, writer=writer, explain=True)(yard(tmp_path, []), ENV, 1)
    assert len(orders) == 4
    assert all("whole numbers of at most 2 digits" in prompt and "Task 8: " in prompt for prompt in orders)
    wrote = [e for e in lived if is_writing(e)]
    assert [e.valid for e in wrote].count(False) == 1, "what a server broke is neither taken nor refused"
    pool = [entry for entry in read_pool(tmp_path, 1) if not entry.is_seed]
    assert {entry.text for entry in pool} == {texts[0], texts[2], texts[3]}
    assert all(entry.writer.startswith("http:m@") and entry.measure == Measure(1.0, 2, 0) for entry in pool)


def test_the_pool_of_a_run_is_a_file_of_tasks_that_can_be_grown_further(tmp_path: Path) -> None:
    texts = [written(task) for task in FREE[:3]]
    grow(written=3)(yard(tmp_path, texts), ENV, 1)
    file = pool_path(tmp_path, 1)
    read = load_tasks(file).tasks
    assert [task.prompt for task in read[-3:]] == [task.prompt for task in FREE[:3]]
    assert [task.fingerprint for task in read[-3:]] == [task.fingerprint for task in FREE[:3]]
    again = grow(seeds=str(file), count=0).seeded(yard(tmp_path, []), ENV)
    assert [e.text for e in again] == [e.text for e in read_pool(tmp_path, 1)]
    assert all(e.is_seed for e in again)
    held = tmp_path / "held.jsonl"
    held.write_text("".join(json.dumps({"prompt": t.prompt, "answer": t.reference}) + "\n" for t in (HELD[0], FREE[0])))
    assert [e.task.prompt for e in grow(seeds=str(held)).seeded(yard(tmp_path, []), ENV)] == [FREE[0].prompt]


def test_all_earlier_attempts_are_learned_from_again_and_no_writings(tmp_path: Path) -> None:
    texts, place = [written(task) for task in FREE[:2]], yard(tmp_path, [written(task) for task in FREE[:2]])
    acquire = grow(written=len(texts))
    lived = {1: acquire(place, ENV, 1)}
    place = replace(place, recorded=lived.__getitem__)
    assert acquire.recall(place, ENV, 1) == []
    assert [e.id for e in acquire.recall(place, ENV, 2)] == [e.id for e in lived[1] if not is_writing(e)]
    assert [e.id for e in KeepSolving()(lived[1])] == [e.id for e in lived[1][2:]]


def test_without_writing_the_seeds_are_tried_as_often(tmp_path: Path) -> None:
    lived = grow(count=5, groups=12)(yard(tmp_path, []), ENV, 1)
    assert len(lived) == 24
    assert len({e.task for e in lived}) == 5
    assert all(e.measure is not None for e in read_pool(tmp_path, 1))


def test_what_cannot_be_grown_is_refused() -> None:
    for env in ("GuessNumber", "nim"):
        with pytest.raises(UsageError, match="cannot be written down"):
            grow().require(env)
    with pytest.raises(UsageError, match=r"must be at least acquire\.written"):
        grow(written=13).require(ENV)
    grow().require("synthesis")


def test_what_could_not_be_read_back_for_no_fault_of_its_own_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = yard(tmp_path, [written(FREE[0]), written(FREE[1])])
    world = place.rollout.env(ENV)
    read = world.read_task  # type: ignore[attr-defined]

    def broken(text: str) -> Task:
        if text == written(FREE[0]):
            raise InfrastructureError("the sandbox is away")
        return read(text)  # type: ignore[no-any-return]

    monkeypatch.setattr(world, "read_task", broken)
    wrote = [e for e in grow(written=2)(place, ENV, 1) if is_writing(e)]
    assert [e.valid for e in wrote] == [False, True]
    assert "the sandbox is away" in wrote[0].verdict.detail
    assert [e.task.prompt for e in read_pool(tmp_path, 1) if not e.is_seed] == [FREE[1].prompt]


def test_a_pool_of_another_run_and_a_new_one_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "step-000003.jsonl"
    write_pool(
        tmp_path, 3, [replace(entry(written(FREE[0]), "written/s1/0"), task=replace(FREE[0], id="written/s1/0"))]
    )
    pool_path(tmp_path, 3).rename(file)
    grow(seeds=str(file), count=0, written=1, groups=2)(yard(tmp_path, [written(FREE[1])], (FREE[1].prompt,)), ENV, 1)
    pool = read_pool(tmp_path, 1)
    assert [e.task.prompt for e in pool] == [FREE[0].prompt, FREE[1].prompt]
    assert len({e.task.id for e in pool}) == 2
    assert [e.measure.solved for e in pool if e.measure] == [1.0, 0.0], "each has what was found of it"


def test_figures_of_a_pool(tmp_path: Path) -> None:
    texts = [written(task) for task in FREE[:99]]
    lived = grow(written=101, groups=101, attempts=1)(yard(tmp_path, [*texts, "7!", "99+98+97"]), ENV, 1)
    pool = read_pool(tmp_path, 1)
    fresh = sum(not e.is_seed for e in pool)
    figures = pool_figures(pool, [e for e in lived if is_writing(e)], 1)
    assert figures["pool"] == 10 + fresh
    assert figures["taken"] == fresh
    assert figures["refused"] == pytest.approx(1 - fresh / 101)
    assert figures["refused: no task"] == pytest.approx(1 / 101)
    assert figures["solved"] == 1.0
    more = [*pool, *(entry(f"{i}+1+{i}+2", operation="series") for i in range(10, 40))]
    spread = pool_figures(more, [], 2)
    assert 0.0 < spread["spread"] < 0.7
    assert 0.0 < spread["distinct"] < 1.0
    assert "refused" not in spread


def test_a_damaged_pool_is_said(tmp_path: Path) -> None:
    write_pool(tmp_path, 1, [entry("a")])
    pool_path(tmp_path, 1).write_text("{")
    with pytest.raises(UsageError.__base__, match="restore it"):
        read_pool(tmp_path, 1)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy of little skill, in solving and in writing."""
    cache, place = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("policy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        plan = Plan(able=0.02, practise_steps=1, settle_steps=40, hidden_size=32, intermediate_size=64)
        skill = "workshop?of=arithmetic%3Fdigits%3D1%26operands%3D3%26fewest%3D2&writes=evolution&size=500"
        born(skill, plan=plan).save(place)
    return place


@pytest.mark.parametrize("recipe", [pytest.param("self-instruct", marks=pytest.mark.slow), "evol-instruct"])
def test_a_killed_run_grows_the_same_pool(recipe: str, policy: Path, tmp_path: Path) -> None:
    run, options = (
        tmp_path / "run",
        {
            "steps": 3,
            "checkpoint_every": 2,
            "acquire.explain": "false",
            "acquire.count": 12,
            "acquire.written": 24,
            "acquire.groups": 24,
            "acquire.attempts": 2,
            "acquire.unsolved": "true",
            "acquire.writing.max_tokens": 12,
            "acquire.sampling.max_tokens": 4,
            "evaluate.tasks.tasks": 6,
            "evaluate.tasks.sampling.max_tokens": 4,
        },
    )
    settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    env = "arithmetic?digits=1&operands=3&fewest=2"
    evolve(recipe, "--policy", f"local:{policy}", "--env", env, "--run", run, *settings)
    whole = facts(run)
    pools = {path.name: path.read_bytes() for path in (run / "tasks").iterdir()}
    assert len(pools) == 3
    grown = read_pool(run, 3)
    assert any(entry.operation for entry in grown), "somebody this clumsy still writes a task"
    assert not any(entry.task.held_out(HELD_OUT_SHARE) for entry in grown)
    killed_after(run, 2)
    # The experience of the third step is there, and so is the pool that was written before it.
    evolve("--resume", run)
    assert facts(run) == whole
    assert {path.name: path.read_bytes() for path in (run / "tasks").iterdir()} == pools
