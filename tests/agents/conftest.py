"""Policies of random weights, and contexts for them."""

import numpy as np
import pytest
from palaestra.agents.local import LocalPolicy
from small import APPENDING, VOCABULARY, character_tokenizer, new_model


@pytest.fixture
def policy():
    """Returns a fresh policy of random weights."""

    def build(architecture="llama", seed=0, template=APPENDING, **changes):
        model = new_model(architecture, seed, **changes)
        return LocalPolicy(model, character_tokenizer(template), f"test:{architecture}")

    return build


@pytest.fixture
def contexts():
    """Returns random contexts of given lengths."""

    def build(lengths, seed=0):
        generator = np.random.default_rng(seed)
        return [generator.integers(7, len(VOCABULARY), length).astype(np.int32) for length in lengths]

    return build
