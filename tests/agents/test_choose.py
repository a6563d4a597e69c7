"""How tokens are drawn."""

import numpy as np
import pytest
import torch
from palaestra.agents.choose import BLOCK, Chooser, draw_uniforms
from palaestra.agents.policy import Request, Sampling
from scipy.stats import chisquare

CONTEXT = np.zeros(1, np.int32)
CHANCES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])


def draw(sampling, count, chances=CHANCES):
    """Counts of the first token over `count` seeds."""
    logits = torch.from_numpy(np.log(chances)).float().repeat(count, 1)
    chooser = Chooser([Request(CONTEXT, sampling, seed) for seed in range(count)], len(chances), logits.device)
    tokens, logprobs = chooser.choose(logits, 0)
    return tokens.numpy(), logprobs.numpy()


@pytest.mark.parametrize("seed", [0, 5, 2**63 - 1, 2**100 + 3])
def test_each_seed_is_a_philox_stream(seed):
    whole = np.random.Generator(np.random.Philox(key=seed)).random(3 * BLOCK, dtype=np.float32)
    blocks = np.concatenate([draw_uniforms([1, seed], block)[1] for block in range(3)])
    assert np.array_equal(whole, blocks)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), CHANCES),
        (Sampling(temperature=2.0), CHANCES**0.5 / (CHANCES**0.5).sum()),
        (Sampling(top_k=2), np.array([4, 3, 0, 0, 0]) / 7),
        (Sampling(top_p=0.7), np.array([4, 3, 0, 0, 0]) / 7),
        (Sampling(top_p=0.71), np.array([8, 6, 3, 0, 0]) / 17),
        # The mass is of what top-k left: 0.4 of 0.7 is less than 0.6, so both stay.
        (Sampling(top_k=2, top_p=0.6), np.array([4, 3, 0, 0, 0]) / 7),
        (Sampling(top_k=2, top_p=0.5), np.array([1, 0, 0, 0, 0])),
        (Sampling(top_p=1e-9), np.array([1, 0, 0, 0, 0])),
    ],
)
def test_frequencies(sampling, expected):
    tokens, logprobs = draw(sampling, 6000)
    counts = np.bincount(tokens, minlength=5)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    if possible.sum() > 1:
        assert chisquare(counts[possible], 6000 * expected[possible]).pvalue > 1e-3
    whole = CHANCES ** (1 / sampling.temperature)
    np.testing.assert_allclose(logprobs, np.log(whole / whole.sum())[tokens], atol=1e-5)


def test_tokens_without_a_chance_are_never_drawn():
    chances = np.array([0.0, 0.5, 0.0, 0.5, 0.0])
    with np.errstate(divide="ignore"):
        tokens, logprobs = draw(Sampling(), 2000, chances)
    assert set(tokens) == {1, 3}
    assert np.isfinite(logprobs).all()


def test_the_largest_number_still_finds_a_token():
    class Edge(Chooser):
        def choose(self, logits, step):
            super().choose(logits, 0)
            self._uniforms = torch.full_like(self._uniforms, 1 - 2**-24) if step else torch.zeros_like(self._uniforms)
            return super().choose(logits, 1)

    logits = torch.tensor([[-np.inf, 0.0, 1.0, -np.inf]])
    for step in (0, 1):
        edge = Edge([Request(CONTEXT, Sampling(), 0)], 4, logits.device)
        assert int(edge.choose(logits, step)[0]) in (1, 2)


def test_greedy_ignores_the_seed_and_reports_temperature_one():
    tokens, logprobs = draw(Sampling(temperature=0.0), 10)
    assert set(tokens) == {0}
    np.testing.assert_allclose(logprobs, np.log(0.4), atol=1e-6)
