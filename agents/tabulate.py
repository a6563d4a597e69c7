"""Write down what a policy does, for everything that a seat of a small game may know."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from palaestra.agents.agent import Agent
from palaestra.agents.policy import FinishReason, Request, Sample
from palaestra.agents.search.tabular import TabularPolicy
from palaestra.agents.search.tree import GameTree
from palaestra.agents.stopping import said
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.moves import read_move
from palaestra.envs.arena.rules import CHANCE
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_seed

__all__ = ["Counted", "tabulate"]


class Counted(NamedTuple):
    """What was found.

    Attributes:
        policy: How often each legal move was made; where there was none, all are equally likely.
        illegal: Share of the samples that held no legal move; they are left out of the frequencies.
    """

    policy: TabularPolicy
    illegal: float


def tabulate(agent: Agent, arena: GameArena, samples: int, seed: int = 0, *, tree: GameTree | None = None) -> Counted:
    """Sample an agent's move in every situation that a seat can tell apart, and count.

    A seat's conversation up to there is the one in which it said its moves as the rules write them.

    Args:
        agent: One with a policy and without tools.
        arena: A small game.
        samples: Moves sampled a situation.
        seed: Names the samples.
        tree: The game's tree, where it is there already.

    Raises:
        UsageError: If the agent has no policy, or the game is too large.
    """
    policy = agent.policy
    if policy is None:
        raise UsageError(f"{agent.name} has no policy whose moves could be counted.")
    tree = tree or GameTree(arena.rules)
    paths = _paths(tree)
    requests: list[Request] = []
    for number, example in enumerate(tree.examples):
        asked = _asked(agent, arena, paths[int(example)], derive_seed(seed, "tabulate", number))
        requests += [
            Request(asked.context, asked.sampling, derive_seed(seed, "tabulate", number, k)) for k in range(samples)
        ]
    replies = policy.sample(requests)
    table, illegal = {}, 0
    for number, (key, example) in enumerate(zip(tree.keys, tree.examples, strict=True)):
        state = tree.states[int(example)]
        words = {arena.rules.word(state, action): action for action in arena.rules.legal(state)}
        found = Counter(
            read_move(said(policy.tokenizer, reply, requests[number * samples].sampling.stop), words)[0]
            for reply in replies[number * samples : (number + 1) * samples]
        )
        illegal += found.pop(None, 0)
        legal = sum(found.values())
        table[key] = {a: (found[a] / legal if legal else 1 / len(words)) for a in words.values()}
    return Counted(TabularPolicy(table), illegal / max(1, len(requests)))


def _paths(tree: GameTree) -> dict[int, list[tuple[Any, int]]]:
    """Return for each example the states on the way to it, each with the action taken there."""
    into = {int(target): edge for edge, target in reversed(list(enumerate(tree.target)))}
    paths = {}
    for example in map(int, tree.examples):
        path, here = [], example
        while here in into:
            edge = into[here]
            here = int(tree.source[edge])
            if tree.turn[here] != CHANCE:
                path.append((tree.states[here], int(tree.action[tree.choice[edge]])))
        paths[example] = [*path[::-1], (tree.states[example], -1)]
    return paths


def _asked(agent: Agent, arena: GameArena, path: Sequence[tuple[Any, int]], seed: int) -> Request:
    """Return what an agent asks its policy at the end of a path, having said what the path says."""
    rules, policy = arena.rules, agent.policy
    assert policy is not None
    seat = rules.turn(path[-1][0])
    arena.reset(seed=0)
    player = agent.enter(arena, arena.task(seat), seed)
    for state, action in path:
        if rules.turn(state) != seat:
            continue
        arena.go_to(state)
        acting = player.act(arena.observe(arena.agent_selection))
        asked = next(acting)
        if not isinstance(asked, Request):
            raise UsageError(f"{agent.name} uses tools; only what a policy says by itself can be counted.")
        if action < 0:
            return asked
        ids = policy.tokenizer.encode(rules.word(state, action), add_special_tokens=False)
        reply = np.array([*ids, policy.tokenizer.eos_token_id], np.int32)
        try:
            acting.send(Sample(reply, np.zeros(len(reply), np.float32), FinishReason.STOP, np.zeros_like(reply)))
        except StopIteration:
            continue
        raise UsageError(f"{agent.name} asks more than once a move; only what a policy says at once can be counted.")
    raise UsageError("The path ends where nobody has to move.")
