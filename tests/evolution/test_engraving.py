"""Principles are told, replies are kept without labels, and what is learned from knows nothing of what was told."""

from dataclasses import replace

import numpy as np
import pytest
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.memory.context import Context
from palaestra.agents.policy import FinishReason, Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.puzzle.codebook import usual_code
from palaestra.envs.task import HELD_OUT_SHARE
from palaestra.envs.text_env import TOLD
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.principled import TellPrinciples
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evaluation.untold import MEASURE, Untold
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.refinement.hindsight import ForgetHint
from palaestra.evolution.refinement.own_words import KeepFinished, KeepUnquoted
from palaestra.evolution.reproduction.catalogue import find_miniatures
from palaestra.evolution.updating.batching import assemble
from palaestra.evolution.yard import Yard
from says import Says
from transformers import LlamaConfig, LlamaForCausalLM

ENV = "arithmetic?digits=1"
RULES = "Rules:\nAnswer with the sum of both numbers and nothing else, please."


def obedient(observation: str) -> str:
    """Adds where the rules are told, and says 0 elsewhere."""
    asked = observation.removeprefix(f"{RULES}\n\n")
    one, other = asked.removesuffix(" = ?").split(" + ")
    return str(int(one) + int(other)) if asked != observation else "0"


@pytest.fixture(scope="module")
def speaker() -> LanguageAgent:
    tokenizer = build_tokenizer(256)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **sizes))
    return LanguageAgent(LocalPolicy(model, tokenizer, "tiny"), Sampling(max_tokens=4), system="Add.")


def test_what_is_told_is_recorded_as_another_task() -> None:
    sample, place = SampleGroups(groups=30, attempts=2), Yard(Rollout(Says(obedient, "obedient")), seed=0)
    plain, told = sample(place, ENV, 3), TellPrinciples(sample, f"{RULES}\n")(place, ENV, 3)
    assert all(episode.correct for episode in told)
    assert not any(episode.correct for episode in plain)
    train = place.split(ENV).train
    for before, after in zip(plain, told, strict=True):
        assert after.task == f"{before.task}{TOLD}"
        assert (after.id, after.group) == (f"{before.id}/told", f"{before.group}/told")
        assert (after.seed, after.attempt) == (before.seed, before.attempt)
        assert after.policy == f"obedient+context@{Context(RULES).digest}"
        assert before.task in {task.id for task in train}
    # One fingerprint a task and text of principles, and never that of the task itself.
    assert len({e.fingerprint for e in told}) == len({e.fingerprint for e in plain})
    assert not {e.fingerprint for e in told} & {task.fingerprint for task in place.rollout.env(ENV).tasks}
    other = TellPrinciples(sample, f"{RULES} Now.")(place, ENV, 3)
    assert not {e.fingerprint for e in told} & {e.fingerprint for e in other}
    with pytest.raises(UsageError, match="no principles"):
        TellPrinciples(sample, " \n").require(ENV)


def test_nothing_told_is_left_in_what_is_learned_from(speaker: LanguageAgent) -> None:
    spec, place = f"{ENV}&tries=2", Yard(Rollout(speaker), seed=0)
    played = TellPrinciples(SampleGroups(groups=4, attempts=2), RULES)(place, spec, 1)
    tokenizer, tasks = speaker.policy.tokenizer, place.rollout.env(spec).tasks
    assert all(RULES in tokenizer.decode(episode.turns[0].context_ids) for episode in played)
    forgot = ForgetHint().at(place, 1)(played)
    for before, after in zip(played, forgot, strict=True):
        task = tasks.by_id(before.task.removesuffix(TOLD))
        # The very ids that are asked of one who was never told.
        (asked,) = place.rollout.play([Assignment("untold", spec, task, before.seed)])
        assert after.turns[0].context_ids.tolist() == asked.turns[0].context_ids.tolist()
        assert (after.task, after.fingerprint) == (task.id, task.fingerprint)
        assert not task.held_out(HELD_OUT_SHARE)
        # The episode can be found in the record.
        assert (after.id, after.group, after.policy) == (before.id, before.group, before.policy)
        for lived, learned in zip(before.turns, after.turns, strict=True):
            assert learned.reply_ids.tolist() == lived.reply_ids.tolist()
            assert np.isnan(learned.logprobs).all()
        assert all("Rules" not in tokenizer.decode(row.ids) for row in after.rows())
        assert not any("Rules" in turn.observation for turn in after.turns)
    batch = assemble(forgot).next_token(np.arange(len(forgot)), speaker.policy.device)
    assert all("Rules" not in text for text in tokenizer.batch_decode(batch["input_ids"]))
    said = np.concatenate([turn.reply_ids for episode in played for turn in episode.turns]).tolist()
    assert batch["labels"][batch["labels"] != -100].tolist() == said


def test_who_quotes_what_was_told_or_never_ends_is_not_imitated(speaker: LanguageAgent) -> None:
    place = Yard(Rollout(speaker), seed=0)
    first = TellPrinciples(SampleGroups(groups=1, attempts=1), RULES)(place, ENV, 1)[0]

    def saying(reply: str, finish: FinishReason = FinishReason.STOP) -> Episode:
        return replace(first, id=reply, turns=(replace(first.turns[0], reply=reply, finish=finish),))

    asked = first.turns[0].observation
    few, quoted = "with the sum of both numbers and", "I answer With the sum of both numbers and nothing: 8"
    some = [saying("8"), saying(few), saying(quoted), saying(f"{asked} {asked} 8")]
    unquoted = KeepUnquoted().at(place, 1)
    assert [e.id for e in unquoted(some)] == ["8", few, f"{asked} {asked} 8"]
    assert [e.id for e in KeepUnquoted(words=3).at(place, 1)(some)] == ["8", f"{asked} {asked} 8"]
    # One that was told nothing quotes nothing.
    plain = replace(some[2], task=first.task.removesuffix(TOLD))
    assert unquoted([plain]) == [plain]
    cut = saying("8, because", FinishReason.LENGTH)
    assert KeepFinished()([some[0], cut]) == [some[0]]
    with pytest.raises(UsageError, match="at least 1"):
        KeepUnquoted(words=0)
    with pytest.raises(UsageError, match="no tokenizer"):
        KeepUnquoted().at(Yard(Rollout(Says(obedient, "obedient")), seed=0), 1)


def test_the_ceiling_is_measured_on_the_same_tasks() -> None:
    place = Yard(Rollout(Says(obedient, "obedient")), seed=2)
    evaluate = Untold(tasks=9, attempts=2, principles=RULES)
    played = evaluate.play(place, ENV, 0)
    untold, told = evaluate.scores(ENV, played.episodes, played.figures)
    plain = HeldOut(tasks=9, attempts=2)
    expected = plain.scores(ENV, plain.play(place, ENV, 0).episodes, {})[0]
    assert untold == expected
    assert (told.env, told.measure) == (f"{ENV} with principles", MEASURE)
    assert (untold.accuracy.value, told.accuracy.value, told.tasks) == (0.0, 1.0, 9)
    assert len({episode.id for episode in played.episodes}) == len(played.episodes) == 9 * 4
    tasks = {episode.task for episode in played.episodes if episode.group == "greedy"}
    assert tasks == {episode.task for episode in played.episodes if episode.group == "told"}
    assert len(evaluate.scores("another", played.episodes, {})) == 1
    assert len(replace(evaluate, principles="").play(place, ENV, 0).episodes) == 9 * 3


def test_principles_are_named_once() -> None:
    recipe = find_recipe("self-align", {"acquire.principles": RULES, "evaluate.tasks": 7})
    assert (recipe.evaluate.principles, recipe.evaluate.tasks) == (RULES, 7)
    other = find_recipe("self-align", {"evaluate.principles": "Other rules.", "acquire.principles": RULES})
    assert (other.acquire.principles, other.evaluate.principles) == (RULES, "Other rules.")
    with pytest.raises(UsageError, match="no principles"):
        find_recipe("self-align").acquire.require(ENV)


def test_the_miniature_tells_the_news_of_each_code() -> None:
    (miniature,) = find_miniatures(["self-align"])
    usual = usual_code()
    for arm, code in zip(miniature.arms, (1, 2), strict=True):
        book = make(f"codebook?code={code}").book
        news = [f"{word}={digit}" for word, digit in book.items() if usual[word] != digit]
        assert arm.settings["acquire.principles"] == "\n".join(["Notes:", *news])
