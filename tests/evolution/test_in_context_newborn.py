"""Newborn policies that were raised to use what they are told learn by it, and by nothing else."""

import pytest
from palaestra.agents.language import LanguageAgent
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.agents.memory.memory import Memory
from palaestra.agents.memory.told import ToldAgent
from palaestra.agents.nursery import born
from palaestra.agents.rollout import Rollout
from palaestra.envs import make
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.view import Silent

ENV = "codebook?code=3"


def accuracy(notes):
    memory = Memory()
    for word, digit in notes.items():
        memory.add(Kind.INSIGHT, f"{word}={digit}")
    agent = ToldAgent(LanguageAgent(born("codebook")), Context("", memory))
    return HeldOut(tasks=100).score(Rollout(agent), ENV).accuracy.value


@pytest.mark.slow
def test_right_notes_raise_it_and_wrong_ones_lower_it():
    book, usual = make(ENV).book, make("codebook").book
    news = {word: digit for word, digit in book.items() if usual[word] != digit}
    plain, right = accuracy({}), accuracy(news)
    wrong = accuracy({word: (digit + 1) % 10 for word, digit in book.items()})
    assert right > plain + 0.4
    assert wrong < 0.05 < plain


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reflexion", "expel"])
def test_it_learns_the_code(name, tmp_path):
    settings = {"steps": 4, "evaluate_every": 4, "evaluate.tasks": 100}
    result = evolve(
        find_recipe(name, settings),
        objective=Objective("codes", (ENV,)),
        policy="nursery:codebook?seed=0",
        seed=2,
        directory=tmp_path / "run",
        view=Silent(),
        settings=settings,
    )
    assert result.score_after.accuracy.value > result.score_before.accuracy.value + 0.4
