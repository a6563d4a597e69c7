"""Each broken promise is noticed and named."""

from collections.abc import Sequence

import gymnasium
import numpy as np
import pytest
from palaestra.envs.contracts import check_environment
from palaestra.envs.errors import ContractError
from palaestra.envs.math.answers import NumberJudge
from palaestra.envs.question import QuestionEnv
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, Words
from palaestra.envs.verdict import Status, Verdict

Step = tuple[str, float, bool, bool, Info]


def numbered(count: int = 10) -> TaskSet:
    return TaskSet(Task(f"t{i}", f"Say {i}.", i) for i in range(count))


class Good(QuestionEnv):
    def __init__(self, tasks: TaskSet | None = None) -> None:
        super().__init__(tasks or numbered(), NumberJudge())

    def solution(self, task: Task) -> Sequence[str] | None:
        return (str(task.reference),)

    def sample_action(self, generator: np.random.Generator) -> str:
        return str(generator.integers(3))


def test_a_good_one_passes() -> None:
    check_environment(Good())


class Raises(Good):
    def step(self, action: str) -> Step:
        action.encode()
        return super().step(action)


class PaysAnything(Good):
    def __init__(self) -> None:
        super().__init__()
        self.judge = lambda task, reply: Verdict(1.0, Status.CORRECT)


class PaysAnyNumber(Good):
    def __init__(self) -> None:
        super().__init__()
        right, wrong = Verdict(1.0, Status.CORRECT), Verdict(0.0, Status.WRONG)
        self.judge = lambda task, reply: right if reply.isdecimal() and len(reply) == 1 else wrong


class WrongSolution(Good):
    def solution(self, task: Task) -> Sequence[str] | None:
        return ("-1",)


class EmptySolution(Good):
    def solution(self, task: Task) -> Sequence[str] | None:
        return ()


class GlobalLuck(Good):
    drawn = 0

    def begin(self, task: Task) -> str:
        GlobalLuck.drawn += 1
        return f"{super().begin(task)} {GlobalLuck.drawn}"


class SharedState(Good):
    """Counts turns in an object that clones share."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 4
        self.said: list[str] = []

    def begin(self, task: Task) -> str:
        self.said.clear()
        return super().begin(task)

    def step(self, action: str) -> Step:
        self.said.append(action)
        observation, *rest = super().step(action)
        return (f"{observation} You said {len(self.said)} things.", *rest)  # type: ignore[return-value]


class NoTaskInInfo(Good):
    def step(self, action: str) -> Step:
        return (*super().step(action)[:4], {})


class VerdictIsText(Good):
    def step(self, action: str) -> Step:
        *rest, info = super().step(action)
        return (*rest, {**info, "verdict": "correct"})  # type: ignore[return-value]


class PaysForFailure(Good):
    def step(self, action: str) -> Step:
        *_, info = super().step(action)
        failed = {**info, "verdict": Verdict(0.0, Status.INFRASTRUCTURE)}
        return "", 0.5, True, False, failed


class EndlessReward(Good):
    def step(self, action: str) -> Step:
        observation, _, *rest = super().step(action)
        return (observation, float("nan"), *rest)  # type: ignore[return-value]


class ShortSpace(Good):
    def __init__(self) -> None:
        super().__init__()
        self.observation_space = Words(3)


# Gymnasium warns of the reward that is no number before we refuse it.
@pytest.mark.filterwarnings("ignore:.*NaN")
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Raises, "raised UnicodeEncodeError"),
        (PaysAnything, "right on every task"),
        (PaysAnyNumber, "right on every task"),
        (WrongSolution, "must end the episode as CORRECT"),
        (EmptySolution, "holds no action"),
        (GlobalLuck, "non-deterministic|two different episodes"),
        (SharedState, "override clone"),
        (NoTaskInInfo, "must name the task"),
        (VerdictIsText, "expected a Verdict"),
        (PaysForFailure, "must end the episode and pay nothing"),
        (EndlessReward, "not equivalent|finite"),
        (ShortSpace, "observation space"),
    ],
)
def test_a_broken_promise_is_named(broken: type[Good], words: str) -> None:
    with pytest.raises(ContractError, match=words):
        check_environment(broken())


class PaysNonsense(Good):
    """Takes silence for an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = lambda task, reply: (
            Verdict(1.0, Status.CORRECT) if reply in ("", str(task.reference)) else Verdict(0.0, Status.WRONG)
        )


def test_nonsense_must_not_be_correct() -> None:
    with pytest.raises(ContractError, match="'' is CORRECT on every"):
        check_environment(PaysNonsense())


def test_tasks_must_differ() -> None:
    twins = TaskSet([Task("a", "Say 1.", 1), Task("b", "Say 2.", 2), Task("c", "Say 1.", 1)])
    with pytest.raises(ContractError, match="'a' and 'c' are the same"):
        check_environment(Good(twins))


def test_it_must_be_a_text_env() -> None:
    with pytest.raises(ContractError, match="derive its class"):
        check_environment(gymnasium.make("FrozenLake-v1"))
