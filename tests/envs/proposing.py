"""What tests of proposed tasks share."""

import pytest
from palaestra.envs.arena.dialogues.proposals import BadTaskError, Kind
from palaestra.envs.arena.dialogues.proposing import ProposerSolver
from palaestra.envs.verdict import Status


def propose(program: str, *inputs: str) -> str:
    return "\n".join([f"```python\n{program}\n```", *(f"```input\n{given}\n```" for given in inputs)])


def refusal(kind: Kind, text: str) -> Status:
    with pytest.raises(BadTaskError) as refused:
        kind.read(text)
    return refused.value.status


def play(arena: ProposerSolver, *texts: str) -> list[float]:
    arena.reset(seed=0)
    for text in texts:
        assert not arena.over
        arena.step(text)
    assert arena.over
    return list(arena.rewards.values())
