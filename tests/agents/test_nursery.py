from dataclasses import replace
from pathlib import Path

import pytest
import torch
from palaestra.agents.alphabet import build_tokenizer, encode_dialogue
from palaestra.agents.language import LanguageAgent
from palaestra.agents.nursery import Plan, born
from palaestra.agents.rollout import Rollout
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.evolution.evaluation.held_out import HeldOut

QUICK = Plan(able=0.0, solved=0.0, practise_steps=1, settle_steps=9, hidden_size=32, intermediate_size=64, probe=32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def weights(skill: str, seed: int) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in born(skill, seed, plan=QUICK).model.parameters()])


def test_the_same_seed_bears_the_same_weights(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = weights("arithmetic", 1)
    before = torch.get_rng_state()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "other"))
    assert torch.equal(weights("arithmetic", 1), first)
    assert not torch.equal(weights("arithmetic", 2), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_second_time_it_comes_from_the_cache() -> None:
    looks: list[int] = []
    born("arithmetic", plan=QUICK, progress=lambda done, total: looks.append(done))
    assert looks
    looks.clear()
    born("arithmetic", plan=QUICK, progress=lambda done, total: looks.append(done))
    assert not looks


def test_lessons_are_encoded_as_the_template_renders_them() -> None:
    tokenizer = build_tokenizer(128)
    turns = [("2 + 2 = ?", "5"), ("Too high.\nAgain.", "4")]
    ids, spoken = encode_dialogue(tokenizer, turns)
    messages = [m for o, r in turns for m in ({"role": "user", "content": o}, {"role": "assistant", "content": r})]
    assert ids == tokenizer.apply_chat_template(messages, return_dict=False)
    assert tokenizer.decode([i for i, s in zip(ids, spoken, strict=True) if s]) == "5<|end|>4<|end|>"


def test_several_turns_can_be_demonstrated() -> None:
    assert born("GuessNumber", plan=QUICK).context_limit == 1024


def test_a_world_without_solutions_is_refused() -> None:
    with pytest.raises(UsageError, match="no solution"):
        born("CartPole", plan=QUICK)


def test_a_skill_that_does_not_come_is_said_and_not_cached(cache: Path) -> None:
    with pytest.raises(UsageError, match="needed: too hard"):
        born("arithmetic", plan=Plan(hidden_size=8, intermediate_size=8, most_steps=10, probe=32))
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_it_mostly_slips_but_can_do_better() -> None:
    policy = born("arithmetic", seed=3)
    agent = LanguageAgent(policy)
    greedy = HeldOut(tasks=300, attempts=16).score(Rollout(agent), "arithmetic")
    assert 0.2 < greedy.accuracy.value <= 0.5
    assert greedy.pass_at_k[16].value > 0.9


def test_words_of_a_world_are_one_token_each_and_the_longest_fits() -> None:
    tokenizer = build_tokenizer(128, words=("Lumo", "Lumo sent", ".\n"))
    assert tokenizer.tokenize("Lumo sent Lumos.\n") == ["Lumo sent", " ", "Lumo", "s", ".\n"]
    ids, _ = encode_dialogue(tokenizer, [("Lumo sent Lumos.\n", "Lumo")])
    assert tokenizer.decode(ids) == "<|user|>Lumo sent Lumos.\n<|end|><|assistant|>Lumo<|end|>"


def test_a_long_document_is_few_tokens_to_one_born_to_it() -> None:
    spec = "reading?kinds=document&directions=forward&positions=ends&short=0.5"
    policy = born(f"{spec}&size=300", plan=replace(QUICK, mastered=0.0))
    facts = [task for task in make(f"{spec}&size=300").tasks if task.metadata["segments"] == 12]
    # A fact each, and the question's two pieces and its name.
    assert {len(policy.tokenizer.tokenize(task.prompt)) for task in facts} == {12 + 3}
