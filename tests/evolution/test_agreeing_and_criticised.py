"""Experience without labels, by what programs do; and attempts that a critic has tried again."""

from pathlib import Path

import pytest
from newborns import save_newborn
from palaestra.agents.agent import Acting, Move
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.text_env import TOLD
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.with_critic import AGAIN, WithCritic
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.refinement.consensus import KeepConsensus
from palaestra.evolution.refinement.filters import KeepCorrect
from palaestra.evolution.refinement.hindsight import ForgetHint
from palaestra.evolution.refinement.mended import KeepMended
from palaestra.evolution.view import Silent
from palaestra.evolution.yard import Yard

CLINIC = "palaestra/Consult-v0?explain=false&size=200"
CODE = "palaestra/Synthesis-v0?size=100"
WORLD = make(CLINIC)


class Hasty:
    """Asks one question and names a condition; what a critic names is asked too, before that."""

    name, policy = "hasty", None

    def with_sampling(self, sampling: Sampling) -> "Hasty":
        return self

    def enter(self, env: object, task: object, seed: int) -> "Hasty":
        plain = WORLD.tasks.by_id(task.id.removesuffix(TOLD))
        self.actions = iter(WORLD.solution(plain) if task.id.endswith(TOLD) else WORLD.slip(plain))
        return self

    def act(self, observation: str) -> Acting:
        action = next(self.actions)
        return Move(action, action)
        yield


def test_each_attempt_is_tried_again_until_the_critic_has_nothing_to_say() -> None:
    part = WithCritic(SampleGroups(groups=30, attempts=2), trials=3)
    place = Yard(Rollout(Hasty(), in_flight=1), seed=0)
    played = part(place, CLINIC, 1)
    first, second = played[:60], played[60:]
    # All were in haste, those that guessed right too, and all do as they are told the second time.
    assert 0 < sum(e.correct for e in first) < 40
    assert [e.id for e in second] == [f"{e.id}{AGAIN}1" for e in first]
    assert all(e.correct and "(Critic: " in e.turns[0].observation for e in second)
    assert len({e.id for e in played}) == len(played)
    assert [e.id for e in KeepMended()(played)] == [e.id for e in second]
    assert [e.id for e in KeepMended()(KeepCorrect()(first))] == [e.id for e in first if e.correct]
    assert len(WithCritic(part.sample, trials=0)(place, CLINIC, 1)) == 60
    with pytest.raises(UsageError, match="trials"):
        WithCritic(part.sample, trials=-1)


def test_the_critics_words_are_forgotten_in_a_dialogue(tmp_path: Path) -> None:
    policy = LocalPolicy.load(save_newborn(tmp_path))
    place = Yard(Rollout(LanguageAgent(policy, Sampling(max_tokens=4))), seed=0)
    world = place.rollout.env(CLINIC)
    task = world.tasks[0]
    told = world.hinted(task)
    assert told is not None
    (episode,) = place.rollout.play([Assignment("told", CLINIC, told, 5, "g")])
    (forgot,) = ForgetHint().at(place, 1)([episode])
    assert forgot.fingerprint == task.fingerprint
    assert forgot.turns[0].observation == task.prompt
    assert [t.observation for t in forgot.turns[1:]] == [t.observation for t in episode.turns[1:]]
    assert "Critic" not in policy.tokenizer.decode(forgot.rows()[0].ids)


class Programmer:
    """Writes the same function in ways that differ, now and then another one."""

    name, policy = "programmer", None

    def with_sampling(self, sampling: Sampling) -> "Programmer":
        return self

    def enter(self, env: object, task: object, seed: int) -> "Programmer":
        self.attempt = getattr(self, "attempt", -1) + 1
        self.solution = str(task.metadata["solution"])
        return self

    def act(self, observation: str) -> Acting:
        ways = [self.solution, f"({self.solution})", "x+77", f"0+{self.solution}"]
        action = ways[self.attempt % 4]
        return Move(action, action)
        yield


def test_what_programs_do_is_agreed_on_whatever_they_say() -> None:
    place = Yard(Rollout(Programmer(), in_flight=1), seed=0)
    played = SampleGroups(groups=5, attempts=8)(place, CODE, 1)
    kept = KeepConsensus(inputs=4).at(place, 1)(played)
    # Of each group's first four, the three that do the same.
    assert [e.attempt for e in kept] == [0, 1, 3] * 5
    assert all(e.correct for e in kept)
    assert KeepConsensus().at(place, 1)([e for e in played if e.attempt % 4 == 2]) != []
    with pytest.raises(UsageError, match="RunsPrograms"):
        KeepConsensus().at(Yard(Rollout(Hasty(), in_flight=1), seed=0), 1)(
            SampleGroups(groups=1, attempts=2)(Yard(Rollout(Hasty(), in_flight=1), seed=0), CLINIC, 1)
        )


@pytest.mark.parametrize(
    ("name", "env", "settings"),
    [
        ("amie", CLINIC, {"acquire.sample.groups": 4, "acquire.sample.sampling.max_tokens": 4}),
        ("codet", CODE, {"acquire.groups": 3, "acquire.attempts": 4, "acquire.sampling.max_tokens": 4}),
    ],
)
def test_both_recipes_run(name: str, env: str, settings: dict[str, object], tmp_path: Path) -> None:
    small = settings | {"steps": 2, "evaluate_every": 2, "evaluate.tasks": 4, "evaluate.sampling.max_tokens": 4}
    result = evolve(
        find_recipe(name, small),
        objective=Objective("try", ladder=(env,)),
        policy=f"local:{save_newborn(tmp_path / 'policy')}",
        seed=0,
        directory=tmp_path / "run",
        view=Silent(),
        settings=small,
    )
    assert result.steps == 2
    assert result.episodes >= 8
