import threading
import time
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import pytest
from palaestra.agents.agent import Acting, ContextFullError, Move
from palaestra.agents.episode import Episode
from palaestra.agents.policy import FinishReason, Request, Sample, Sampling
from palaestra.agents.rollout import Assignment, Rollout, play
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict

TASKS = TaskSet([Task(f"t{i}", f"say {i}", i) for i in range(40)])


class Walk(TextEnv):
    """Ends after `reference % 3 + 1` turns; pays the length of the action plus a draw of its own chance."""

    def begin(self, task: Task) -> str:
        self.left = int(task.reference) % 3 + 1
        return task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        self.left -= 1
        reward = len(action) + float(self.np_random.random())
        return f"{self.left} left", reward, self.left == 0, False, self.outcome(Verdict(reward, Status.PARTIAL))

    def sample_action(self, generator: np.random.Generator) -> str:
        return "x" * int(generator.integers(1, 9))


class SlowWalk(Walk):
    metadata = {**Walk.metadata, "instant": False}  # noqa: RUF012
    running = 0
    most = 0
    lock = threading.Lock()

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        with self.lock:
            SlowWalk.running += 1
            SlowWalk.most = max(SlowWalk.most, SlowWalk.running)
        time.sleep(0.003)
        with self.lock:
            SlowWalk.running -= 1
        return super().step(action)


class Failing(Walk):
    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        if self.task is not None and self.task.reference == 3:
            raise ConnectionError("the other side hung up")
        return super().step(action)


class Endless(Walk):
    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        return "again", 0.0, False, False, self.outcome()


class Wanderer:
    """A random player without a policy."""

    name = "wanderer"
    policy = None

    def with_sampling(self, sampling: Sampling) -> "Wanderer":
        return self

    def enter(self, env: TextEnv, task: Task, seed: int) -> "_WandererPlayer":
        return _WandererPlayer(env, np.random.default_rng(seed))


class _WandererPlayer:
    def __init__(self, env: TextEnv, generator: np.random.Generator) -> None:
        self.env, self.generator = env, generator

    def act(self, observation: str) -> Acting:
        action = self.env.sample_action(self.generator)
        return Move(action, action)
        yield


class EchoPolicy:
    """Answers with the context's last id plus one; counts its batches."""

    name, version, context_limit = "echo", 7, 100

    def __init__(self, fail_on: int | None = None) -> None:
        self.batches: list[int] = []
        self.fail_on = fail_on

    def sample(self, requests: list[Request]) -> list[Sample]:
        self.batches.append(len(requests))
        if len(self.batches) == self.fail_on:
            raise InfrastructureError("out of memory")
        ids = [np.array([r.context[-1] + 1], np.int32) for r in requests]
        return [Sample(i, np.zeros(1, np.float32), FinishReason.STOP, np.full(1, self.version, np.int32)) for i in ids]


class Echo(Wanderer):
    name = "echo"

    def __init__(self, policy: EchoPolicy) -> None:
        self.policy = policy

    def enter(self, env: TextEnv, task: Task, seed: int) -> "_EchoPlayer":
        return _EchoPlayer(int(task.reference))


class _EchoPlayer:
    def __init__(self, first: int) -> None:
        self.context = np.array([first], np.int32)
        self.turn = 0

    def act(self, observation: str) -> Acting:
        if self.turn == 2 and self.context[-1] > 30:
            raise ContextFullError("no room")
        sample = yield Request(self.context, Sampling(), seed=0)
        shown, self.context, self.turn = self.context, sample.ids, self.turn + 1
        return Move(str(sample.ids[0]), "", shown, False, sample.ids, sample.logprobs, sample.finish, sample.versions)


def assignments(count: int = 60) -> list[Assignment]:
    return [Assignment(f"e{i}", "walk", TASKS[i % 40], seed=i) for i in range(count)]


def digest(episodes: list[Episode]) -> str:
    return blake2b("".join(e.digest() for e in episodes).encode()).hexdigest()


@pytest.mark.parametrize("world", [Walk, SlowWalk])
def test_the_same_seeds_give_the_same_episodes_however_many_run_at_once(world: type[Walk]) -> None:
    runs = [
        Rollout(Wanderer(), in_flight=n, workers=n, make=lambda _: world(TASKS)).play(assignments()) for n in (1, 64)
    ]
    assert digest(runs[0]) == digest(runs[1])
    assert [e.id for e in runs[0]] == [a.id for a in assignments()]
    other = [Assignment(a.id, a.env, a.task, a.seed + 1) for a in assignments()]
    assert digest(Rollout(Wanderer(), make=lambda _: world(TASKS)).play(other)) != digest(runs[0])


def test_blocking_worlds_step_side_by_side() -> None:
    SlowWalk.most = 0
    Rollout(Wanderer(), workers=8, make=lambda _: SlowWalk(TASKS)).play(assignments(32))
    assert SlowWalk.most > 1


def test_requests_of_all_episodes_share_a_batch() -> None:
    policy = EchoPolicy()
    episodes = Rollout(Echo(policy), make=lambda _: Walk(TASKS)).play(assignments(30))
    assert policy.batches == [30, 20, 10 - sum(e.truncated for e in episodes)]
    assert all(turn.versions.tolist() == [7] for episode in episodes for turn in episode.turns)
    assert [turn.reply_ids[0] for turn in episodes[5].turns] == [6, 7, 8]


def test_no_more_episodes_are_alive_than_allowed() -> None:
    policy = EchoPolicy()
    Rollout(Echo(policy), in_flight=4, make=lambda _: Walk(TASKS)).play(assignments(30))
    assert max(policy.batches) == 4


def test_a_world_that_fails_makes_an_invalid_episode_and_no_reward() -> None:
    episodes = Rollout(Wanderer(), make=lambda _: Failing(TASKS)).play(assignments(10))
    assert [e.valid for e in episodes] == [i != 3 for i in range(10)]
    assert episodes[3].verdict.status is Status.INFRASTRUCTURE
    assert "ConnectionError: the other side hung up" in episodes[3].verdict.detail


def test_a_policy_that_fails_makes_invalid_only_the_episodes_of_that_batch() -> None:
    episodes = Rollout(Echo(EchoPolicy(fail_on=2)), make=lambda _: Walk(TASKS)).play(assignments(6))
    assert [e.valid for e in episodes] == [i % 3 == 0 for i in range(6)]


def test_a_full_context_cuts_the_episode_at_its_last_verdict() -> None:
    episodes = Rollout(Echo(EchoPolicy()), make=lambda _: Walk(TASKS)).play(assignments(40))
    cut = [e for e in episodes if e.truncated]
    assert [e.task for e in cut] == ["t29", "t32", "t35", "t38"]
    assert all(e.valid and len(e.turns) == 2 for e in cut)


def test_a_world_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palaestra.agents.rollout.MAX_TURNS", 25)
    episode = play(Endless(TASKS), Wanderer(), TASKS[0])
    assert len(episode.turns) == 25
    assert episode.truncated


def test_play_draws_the_task_of_the_seed() -> None:
    first, second = play(Walk(TASKS), Wanderer(), seed=5), play(Walk(TASKS), Wanderer(), seed=5)
    assert first.digest() == second.digest()
    assert len({play(Walk(TASKS), Wanderer(), seed=s).task for s in range(10)}) > 1


class Stuck(SlowWalk):
    never = threading.Event()

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        if self.task is not None and self.task.reference == 3:
            self.never.wait(60)
        return super().step(action)


def test_a_world_that_never_answers_makes_an_invalid_episode_and_holds_up_nothing() -> None:
    rollout = Rollout(Wanderer(), workers=2, step_seconds=0.3, make=lambda _: Stuck(TASKS))
    began = time.monotonic()
    episodes = rollout.play(assignments(10))
    assert time.monotonic() - began < 30
    assert [e.valid for e in episodes] == [i != 3 for i in range(10)]
    detail = episodes[3].verdict.detail
    assert detail.startswith("StuckError: Episode 'e3' in walk has been waited for since 20")
    Stuck.never.set()


def test_streamed_episodes_are_the_same_and_are_not_kept() -> None:
    streamed: dict[str, Episode] = {}
    begun: list[int] = []

    def plan() -> Iterator[Assignment]:
        for number, assignment in enumerate(assignments()):
            begun.append(number - len(streamed))
            yield assignment

    policy = EchoPolicy()
    rollout = Rollout(Echo(policy), in_flight=4, make=lambda _: Walk(TASKS))
    rollout.stream(plan(), lambda episode: streamed.update({episode.id: episode}))
    assert digest([streamed[a.id] for a in assignments()]) == digest(rollout.play(assignments()))
    assert max(begun) == 3, "an assignment was taken before there was room for it"
    assert max(policy.batches) == 4


def test_the_meter_says_when_policy_and_world_were_at_work() -> None:
    class Slow(EchoPolicy):
        def sample(self, requests: list[Request]) -> list[Sample]:
            time.sleep(0.05)
            return super().sample(requests)

    rollout = Rollout(Echo(Slow()), workers=8, make=lambda _: SlowWalk(TASKS))
    began = time.perf_counter()
    episodes = rollout.play(assignments(6))
    total, read = time.perf_counter() - began, rollout.meter.read()
    assert 0.05 * max(len(e.turns) for e in episodes) <= read["sampling"] < total
    assert 0.003 <= read["judging"] < total
    assert rollout.meter.read() == read, "nothing goes on any more"


def test_a_rollout_apart_has_worlds_of_its_own() -> None:
    built = []

    def make(_: str) -> Walk:
        built.append(Walk(TASKS))
        return built[-1]

    rollout = Rollout(Wanderer(), make=make)
    other = rollout.apart(Wanderer())
    assert digest(rollout.play(assignments(8))) == digest(other.play(assignments(8)))
    assert len(built) == 1
    assert other.env("walk") is not rollout.env("walk")
    assert other.env("walk").tasks is rollout.env("walk").tasks
