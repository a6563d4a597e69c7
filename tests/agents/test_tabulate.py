"""What a policy does everywhere, counted: against a policy whose habits are known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import FinishReason, Request, Sample
from palaestra.agents.scripted import RandomAgent
from palaestra.agents.search.best_response import exploitability, value
from palaestra.agents.search.tabular import TabularPolicy
from palaestra.agents.tabulate import tabulate
from palaestra.envs.arena import kuhn_poker_v0
from palaestra.envs.errors import UsageError


class Habits:
    """Bets with a king, passes with a jack, and with a queen bets three times in four; sometimes says nonsense."""

    name, version, context_limit = "test:habits", 0, 400

    def __init__(self, nonsense: float = 0.0) -> None:
        self.tokenizer: Any = build_tokenizer(400)
        self.nonsense = nonsense
        self.seen: set[str] = set()

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        return [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> Sample:
        said = self.tokenizer.decode(request.context)
        self.seen.add(said)
        generator = np.random.default_rng(request.seed)
        card = said.rpartition("Card ")[2][0]
        bets = {"J": 0.0, "Q": 0.75, "K": 1.0}[card]
        word = "call" if generator.random() < self.nonsense else "bet" if generator.random() < bets else "pass"
        ids = np.array([*self.tokenizer.encode(word, add_special_tokens=False), self.tokenizer.eos_token_id], np.int32)
        return Sample(ids, np.zeros(len(ids), np.float32), FinishReason.STOP, 0)


def test_frequencies_are_those_of_the_policy() -> None:
    arena, policy = kuhn_poker_v0.raw_env(explain=False), Habits()
    found = tabulate(LanguageAgent(policy), arena, 300)
    assert len(found.policy) == 12
    for (_, (cards, _)), chosen in found.policy.items():
        expected = {0: 0.0, 1: 0.75, 2: 1.0}[cards[0]]
        assert chosen[1] == pytest.approx(expected, abs=0.09 if expected == 0.75 else 0)
        assert sum(chosen.values()) == pytest.approx(1)
    assert found.illegal == 0
    # The second decision of the first player comes after what it said first.
    second = [said for said in policy.seen if said.count("Card ") == 2]
    assert len(second) == 3
    assert all("<|assistant|>pass<|end|>" in said and "pass bet" in said for said in second)


def test_nonsense_is_counted_and_left_out() -> None:
    found = tabulate(LanguageAgent(Habits(0.3)), kuhn_poker_v0.raw_env(explain=False), 200)
    assert found.illegal == pytest.approx(0.3, abs=0.05)
    assert all(sum(chosen.values()) == pytest.approx(1) for chosen in found.policy.values())


def test_the_best_answer_to_what_was_counted() -> None:
    """With these habits the queen that bets 3 of 4 loses chips to kings; the figures are those of the exact policy."""
    rules = kuhn_poker_v0.rules()
    found = tabulate(LanguageAgent(Habits()), kuhn_poker_v0.raw_env(explain=False), 400)
    exact = TabularPolicy(
        {key: {1: (p := (0.0, 0.75, 1.0)[key[1][0][0]]), 0: 1 - p} for key in found.policy}  # type: ignore[index]
    )
    assert exploitability(rules, found.policy) == pytest.approx(exploitability(rules, exact), abs=0.03)
    assert value(rules, found.policy)[0] == pytest.approx(value(rules, exact)[0], abs=0.03)


def test_an_agent_without_a_policy_is_refused() -> None:
    with pytest.raises(UsageError, match="has no policy"):
        tabulate(RandomAgent(), kuhn_poker_v0.raw_env(), 1)
