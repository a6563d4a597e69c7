"""Signs that a reward is earned otherwise than it was meant, and a second judge that nobody learns from."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from killed_runs import evolve, facts, killed_after
from matplotlib.image import imread
from newborns import save_newborn
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.scripted import ConstantAgent, OracleAgent
from palaestra.envs.catalogue import make
from palaestra.envs.errors import UsageError
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.auditing import Auditor, check_auditor
from palaestra.evolution.report.curve import draw_curve, read_steps
from palaestra.evolution.report.watching import best_replies, reply_length, watch
from palaestra.evolution.run import Run
from palaestra.evolution.view import Phase, StepRecord

ENV = "palaestra/Arithmetic-v0?digits=1"
# The same world under another name: as strict, so there is no gap.
AUDITOR = "palaestra/Arithmetic-v0?digits=1&tries=1"


def episode(name: str, reply: str, reward: float, status: Status, tokens: int = 2, *, sampled: bool = True) -> Episode:
    ids = np.zeros(tokens, np.int32)
    logprobs = np.zeros(tokens if sampled else 0, np.float32)
    turn = Turn("", reply, reply, reward, reply_ids=ids, logprobs=logprobs)
    verdict = Verdict(reward if status.valid else 0.0, status)
    return Episode(name, "env", "t", "f", "g", 0, 0, "p", (turn,), verdict)


STEP = [
    episode("a", "85", 1.0, Status.CORRECT),
    episode("b", "half", 0.5, Status.PARTIAL, tokens=6),
    episode("c", "85", 0.5, Status.PARTIAL),
    episode("d", "no", -1.0, Status.WRONG),
    episode("e", "never", 0.0, Status.INFRASTRUCTURE, tokens=99),
    episode("f", "shown", 0.0, Status.WRONG, tokens=50, sampled=False),
]


def test_what_is_watched() -> None:
    found = watch(STEP, start_length=1.5)
    assert found == pytest.approx(
        {
            "paid/correct": 0.5,
            "paid/partial": 0.5,
            # One of the five valid ones says what another said.
            "duplicates": 0.2,
            # The invalid one and the demonstration were not sampled.
            "length": 3.0,
            "length_drift": 2.0,
        }
    )
    assert reply_length(STEP[4:]) == 0.0
    assert watch(STEP[4:5], 1.0) == {}
    assert watch(STEP[3:4], 0.0) == {"duplicates": 0.0, "length": 2.0}


def test_the_gap_is_that_of_the_same_episodes() -> None:
    found = watch(STEP, 0.0, {"a": 1.0, "b": 0.0, "e": 1.0})
    assert (found["audit"], found["gap"], found["unaudited"]) == (0.5, 0.25, 3.0)
    nothing = watch(STEP, 0.0, {})
    assert math.isnan(nothing["audit"])
    assert nothing["unaudited"] == 5


def test_the_best_paid_replies_differ() -> None:
    best = best_replies([*STEP, replace(STEP[1], id="long", turns=(replace(STEP[1].turns[0], reply="x" * 999),))])
    assert [(row["episode"], row["reward"], row["status"]) for row in best] == [
        ("a", 1.0, "correct"),
        ("b", 0.5, "partial"),
        ("long", 0.5, "partial"),
    ]
    assert len(best[2]["reply"]) < 500
    assert json.loads(json.dumps(best)) == best
    assert best_replies(STEP[:1], {"a": 0.0})[0]["audit"] == 0.0
    assert best_replies(STEP[:1], {})[0]["audit"] is None


def played(spec: str, agent: object, count: int = 5) -> tuple[TextEnv, list[Episode]]:
    env = make(spec)
    assignments = [Assignment(str(n), spec, task, n, "g", n) for n, task in enumerate(env.tasks[:count])]
    return env, Rollout(agent).play(assignments)


def test_an_auditor_judges_the_same_replies_again() -> None:
    env, right = played("synthesis?credit=share", OracleAgent())
    tasks = {task.id: task for task in env.tasks}
    assert Auditor("synthesis")(right, tasks) == {str(n): 1.0 for n in range(5)}
    # What is only partly right earns a share here and nothing there.
    _, partly = played("synthesis?credit=share", ConstantAgent("def f(x):\n    return x"), 40)
    paid = [episode for episode in partly if 0 < episode.reward < 1]
    assert paid, "the test needs a task of which some test is passed"
    assert set(Auditor("synthesis")(paid, tasks).values()) == {0.0}


def test_an_auditor_passes_over_what_it_cannot_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    env, right = played(ENV, OracleAgent(), 4)
    tasks = {task.id: task for task in env.tasks}
    auditor = Auditor(AUDITOR)
    told = replace(right[0], task=f"{right[0].task} (told)")
    broken = replace(right[1], verdict=Verdict(0.0, Status.INFRASTRUCTURE))
    shown = replace(right[2], turns=(replace(right[2].turns[0], reply_ids=np.zeros(3, np.int32)),))
    assert auditor([told, broken, shown, right[3]], tasks) == {"3": 1.0}
    waits = Auditor("palaestra/Arithmetic-v0?digits=1&tries=2")
    wrong = [replace(e, turns=(replace(e.turns[0], action="x"),)) for e in right]
    assert waits(wrong, tasks) == {}, "it would have let the agent try again"
    monkeypatch.setattr(auditor._env, "judge", lambda task, reply: 1 / 0)
    assert auditor(right, tasks) == {}, "a judge that fails pays nothing, not 0"
    assert "the judge raised ZeroDivisionError: division by zero (task 7+1)" in auditor.failure, "and says why"


@pytest.mark.parametrize(
    ("auditor", "env", "says"),
    [
        ("kuhn_poker", ENV, "is an arena"),
        (AUDITOR, "kuhn_poker", "is an arena"),
        (ENV, ENV, "where the policy learns"),
        ("arithmetik", ENV, "arithmetic"),
    ],
)
def test_what_cannot_audit_is_refused(auditor: str, env: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_auditor(auditor, [env])


def test_a_run_is_watched_and_audited_and_resumes(tmp_path: Path) -> None:
    place = save_newborn(tmp_path / "policy")
    small = ["acquire.groups=4", "acquire.attempts=2", "acquire.sampling.max_tokens=4", "evaluate.tasks=5"]
    small += ["evaluate.sampling.max_tokens=4", "steps=3", "checkpoint_every=1"]
    settings = [word for setting in small for word in ("--set", setting)]
    run = tmp_path / "run"
    arguments = ("--policy", f"local:{place}", "--env", ENV, "--auditor", AUDITOR, "--run", run)
    evolve("rft", *arguments, *settings)
    with Run.open(run, read_only=True) as opened:
        rows = [row for row in opened.metrics.rows() if row["phase"] == "train"]
        best = [row["best_paid"] for row in opened.lineage()]
        episodes = opened.experience.read("step-000002")
    assert len(rows) == 3
    assert rows[0]["watch/length_drift"] == 1.0
    assert rows[1]["watch/length"] == pytest.approx(np.mean([e.tokens for e in episodes]))
    assert rows[1]["watch/length_drift"] == pytest.approx(rows[1]["watch/length"] / rows[0]["watch/length"])
    assert [row["watch/gap"] for row in rows] == [0.0] * 3, "the auditor is as strict as the world"
    assert [row["watch/unaudited"] for row in rows] == [0.0] * 3
    assert [len(replies) for replies in best] == [3] * 3
    whole = facts(run)
    killed_after(run, 1)
    evolve("--resume", run)
    assert facts(run) == whole


def test_the_audit_is_drawn_beside_the_reward(tmp_path: Path) -> None:
    def steps(audits: list[float | None]) -> list[StepRecord]:
        times = {Phase.ACQUIRE: 1.0}
        return [
            StepRecord(n, 3, 0.9, 0.5, 8, 8, 0, 10, times, {}, watched={} if audit is None else {"audit": audit})
            for n, audit in enumerate(audits, 1)
        ]

    pictures = []
    for name, audits in {"none": [None] * 3, "level": [0.9] * 3, "gap": [0.1] * 3}.items():
        draw_curve([], steps(audits), tmp_path / f"{name}.png")
        pictures.append(imread(tmp_path / f"{name}.png"))
    shaded = [int((np.abs(picture[300:500, 300:900, :3] - 1).max(axis=2) > 0.02).sum()) for picture in pictures]
    assert shaded[2] > 10 * max(1, shaded[0]), shaded
    assert not np.array_equal(pictures[0], pictures[1])
    rows = [{"phase": "train", "step": 1, "reward": 1.0, "correct": 1.0, "acquired": 1, "used": 1, "invalid": 0}]
    assert read_steps([{**rows[0], "tokens": 3, "watch/audit": 0.25}])[0].watched == {"audit": 0.25}
