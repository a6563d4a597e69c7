"""Which tasks and whose experience a step learns from: curriculum, replay, growing, and answers that are told."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from palaestra.agents.agent import Acting, Move
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.verifier import NO, YES, Verifier
from palaestra.envs.errors import ContractError, UsageError
from palaestra.envs.text_env import TOLD
from palaestra.evolution.acquisition.curriculum import Curriculum, success_rates
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.rationalise import Rationalise
from palaestra.evolution.acquisition.replay import Grow, Replay
from palaestra.evolution.recipe import Recalls
from palaestra.evolution.refinement.hindsight import ForgetHint
from palaestra.evolution.refinement.judgement import TeachJudging
from palaestra.evolution.updating.batching import assemble
from palaestra.evolution.updating.policy_gradient import PolicyGradient
from palaestra.evolution.updating.updater import Beginning
from palaestra.evolution.yard import Yard
from transformers import LlamaConfig, LlamaForCausalLM

ENV = "palaestra/Arithmetic-v0?digits=1"


class Reader:
    """Says the answer where it is told; else knows sums below ten, and every second time those below thirteen."""

    name, policy = "reader", None

    def with_sampling(self, sampling: Sampling) -> "Reader":
        return self

    def enter(self, env: object, task: object, seed: int) -> "Reader":
        self.seed = seed
        return self

    def act(self, observation: str) -> Acting:
        one, _, other = observation.partition(" = ")[0].partition(" + ")
        total, told = int(one) + int(other), "Answer: " in observation
        knows = told or total < 10 or (total < 13 and self.seed % 2 == 0)
        return Move(str(total) if knows else "0", "")
        yield


def yard() -> Yard:
    return Yard(Rollout(Reader()), seed=0)


def recorded(steps: dict[int, list[Episode]]) -> Yard:
    place = yard()
    place.recorded = lambda step: steps[step]
    return place


def total(episode: Episode) -> int:
    return eval(episode.task.removesuffix(TOLD))


def test_success_is_counted_by_kind() -> None:
    assert success_rates([("a", True), ("b", False), ("a", False), ("a", True)]) == {"a": 2 / 3, "b": 0.0}


def test_a_curriculum_returns_to_what_is_sometimes_solved() -> None:
    sample = SampleGroups(groups=20, attempts=4)
    part = Curriculum(sample, lowest=0.2, highest=0.8, explore=0.25)
    first = part(recorded({}), ENV, 1)
    assert [e.digest() for e in first] == [e.digest() for e in sample(yard(), ENV, 1)]
    place = recorded({1: SampleGroups(groups=70, attempts=4)(yard(), ENV, 1)})
    hits = Counter((e.task, e.correct) for e in place.recorded(1))
    middle = {e.task for e in place.recorded(1) if 0.2 <= hits[e.task, True] / 4 <= 0.8}
    assert all(10 <= total(e) < 13 for e in place.recorded(1) if e.task in middle)
    played = {e.group: e.task for e in part(place, ENV, 2)}
    # 15 of 20 groups are drawn among the tasks of middle difficulty, as far as there are so many.
    assert len(played) == 20
    assert sum(task in middle for task in played.values()) >= min(15, len(middle)) > 5
    # What it draws is a function of the record alone.
    again = part(recorded({1: place.recorded(1)}), ENV, 2)
    assert [e.task for e in again] == [e.task for e in part(place, ENV, 2)]


def test_a_kind_of_tasks_shares_its_success() -> None:
    part = Curriculum(SampleGroups(groups=6, attempts=2), by="difficulty", explore=0.0)
    place = recorded({1: SampleGroups(groups=20, attempts=2)(yard(), ENV, 1)})
    assert len(part(place, ENV, 2)) == 12
    with pytest.raises(UsageError, match="difficulty"):
        replace(part, by="hardness")(place, ENV, 2)
    for wrong in ({"lowest": 0.9, "highest": 0.1}, {"window": 0}, {"explore": 2.0}):
        with pytest.raises(UsageError):
            Curriculum(SampleGroups(), **wrong)


def test_replay_draws_whole_groups_of_the_last_steps() -> None:
    fresh = SampleGroups(groups=3, attempts=2)
    place = recorded({step: fresh(yard(), ENV, step) for step in (1, 2, 3)})
    part = Replay(fresh, window=2, groups=4)
    assert isinstance(part, Recalls)
    assert part.recall(place, ENV, 1) == []
    taken = part.recall(place, ENV, 4)
    assert list(Counter(e.group for e in taken).values()) == [2, 2, 2, 2]
    assert {e.group[:2] for e in taken} <= {"s2", "s3"}
    assert [e.id for e in taken] == [e.id for e in part.recall(place, ENV, 4)]
    assert len(part.recall(place, ENV, 2)) == 6
    assert [e.id for e in part(place, ENV, 4)] == [e.id for e in fresh(place, ENV, 4)]


def test_growing_acquires_once_for_several_steps() -> None:
    fresh = SampleGroups(groups=2, attempts=2)
    part, place = Grow(fresh, improves=3), recorded({1: fresh(yard(), ENV, 1), 4: fresh(yard(), ENV, 4)})
    assert [len(part(place, ENV, step)) for step in range(1, 8)] == [4, 0, 0, 4, 0, 0, 4]
    assert part.recall(place, ENV, 4) == []
    assert part.recall(place, ENV, 3) == place.recorded(1)
    assert part.recall(place, ENV, 5) == place.recorded(4)


def test_what_nobody_solved_is_tried_again_with_the_answer() -> None:
    part = Rationalise(SampleGroups(groups=40, attempts=2), attempts=3)
    played = part(yard(), ENV, 1)
    plain, told = played[:80], played[80:]
    failed = {e.group for e in plain} - {e.group for e in plain if e.correct}
    assert Counter(e.group for e in told) == {f"{group}/told": 3 for group in failed}
    assert all(e.correct and e.task.endswith(TOLD) and total(e) >= 10 for e in told)
    assert len({e.id for e in played}) == len(played)
    assert Rationalise(part.sample, attempts=0)(yard(), ENV, 1)[0].id == plain[0].id
    assert len(Rationalise(part.sample, attempts=0)(yard(), ENV, 1)) == 80


@pytest.fixture(scope="module")
def speaker() -> LanguageAgent:
    tokenizer = build_tokenizer(256)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **sizes))
    return LanguageAgent(LocalPolicy(model, tokenizer, "tiny"), Sampling(max_tokens=4), system="Add.")


def test_who_was_told_forgets_it(speaker: LanguageAgent) -> None:
    spec = f"{ENV}&tries=2"
    place = Yard(Rollout(speaker), seed=0)
    world = place.rollout.env(spec)
    task = world.tasks.by_id("7+8")
    told, plain = place.rollout.play(
        [Assignment("told", spec, world.hinted(task), 5, "g/told"), Assignment("plain", spec, task, 5, "g")]
    )
    assert len(told.turns) == 2
    forgot, untouched = ForgetHint().at(place, 1)([told, plain])
    assert untouched is plain
    assert (forgot.task, forgot.fingerprint, forgot.id) == (task.id, task.fingerprint, "told")
    for before, after in zip(told.turns, forgot.turns, strict=True):
        assert after.reply_ids.tolist() == before.reply_ids.tolist()
        assert np.isnan(after.logprobs).all()
    # What stands before its first reply is what stands before the first reply of one who was never told.
    assert forgot.turns[0].context_ids.tolist() == plain.turns[0].context_ids.tolist()
    assert forgot.turns[0].observation == "7 + 8 = ?"
    assert "Answer" not in speaker.policy.tokenizer.decode(forgot.rows()[0].ids)
    assert forgot.turns[1].continues == told.turns[1].continues
    assert forgot.turns[1].context_ids.tolist() == told.turns[1].context_ids.tolist()
    rows = assemble([forgot]).next_token(np.arange(1), speaker.policy.device)
    said = np.concatenate([turn.reply_ids for turn in told.turns]).tolist()
    assert rows["labels"][rows["labels"] != -100].tolist() == said


def test_a_policy_gradient_refuses_what_has_no_probability(speaker: LanguageAgent, tmp_path: Path) -> None:
    place = Yard(Rollout(speaker), seed=0)
    world = place.rollout.env(ENV)
    tasks = [world.hinted(world.tasks.by_id("7+8"))] * 2
    played = place.rollout.play([Assignment(f"{i}", ENV, task, i, "g", i) for i, task in enumerate(tasks)])
    forgot = ForgetHint().at(place, 1)(played)
    updater = PolicyGradient().start(speaker.policy, Beginning(0, 1, Sampling(max_tokens=4), tmp_path))
    with pytest.raises(ContractError, match="cannot learn from them"):
        updater.step(forgot)


def test_judgements_ask_about_as_many_right_as_wrong(speaker: LanguageAgent) -> None:
    place = Yard(Rollout(speaker), seed=0)
    reader = Yard(Rollout(Reader()), seed=0)
    played = SampleGroups(groups=30, attempts=2)(reader, ENV, 1)
    right = sum(e.correct for e in played)
    asked = TeachJudging().at(place, 1)(played)
    assert right > 30
    assert Counter(e.turns[0].reply for e in asked) == {YES: 60 - right, NO: 60 - right}
    assert len(TeachJudging(most=3).at(place, 1)(played)) == 6
    # What does not fit the context makes no question.
    long = replace(played[0], turns=(replace(played[0].turns[0], reply="7" * 2000),))
    assert long.id not in {e.id.removesuffix("/right?") for e in TeachJudging().at(place, 1)([long, *played[1:]])}
    by_id = {e.id: e for e in played}
    for question in asked:
        about = by_id[question.id.removesuffix("/right?")]
        assert (question.turns[0].reply == YES) == about.correct
        assert question.fingerprint == about.fingerprint
        assert question.turns[0].observation.startswith(about.turns[0].observation)
    # What is learned there is what the verifier asks.
    verifier = Verifier(speaker, speaker.policy)
    opinions = verifier(played[:5])
    assert ((opinions > 0) & (opinions < 1)).all()
    asked_ids = speaker.policy.tokenizer.decode(asked[0].turns[0].context_ids)
    assert asked_ids.endswith("Is that right?<|end|><|assistant|>")
