"""What a nursery policy is raised on: demonstrations of a world's tasks, as rows of token ids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from palaestra.agents.alphabet import build_tokenizer, encode_dialogue, learn_words
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from transformers import PreTrainedTokenizerFast

__all__ = ["IGNORED", "Curriculum", "Lessons", "demonstrate"]

IGNORED = -100
"""Label of what nobody is asked to say."""

# Into how many parts lessons are cut by length, and which share of their padded tokens must be saved to make it worth.
_PARTS, _SAVED = 4, 0.25


@dataclass(frozen=True)
class Lessons:
    """Demonstrations as right-padded rows.

    Attributes:
        ids: `[N, L]` token ids.
        labels: `[N, L]` the same ids where the agent speaks, -100 elsewhere.
        lengths: `[N]` how many tokens of each row are its own; the others are padding.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    lengths: torch.Tensor

    def __getitem__(self, rows: torch.Tensor) -> "Lessons":
        return Lessons(self.ids[rows], self.labels[rows], self.lengths[rows])

    def mixed(self, other: "Lessons", theirs: torch.Tensor) -> "Lessons":
        """Take the other's row where `theirs` (`[N]`) says so."""
        where = theirs[:, None]
        return Lessons(
            torch.where(where, other.ids, self.ids),
            torch.where(where, other.labels, self.labels),
            torch.where(theirs, other.lengths, self.lengths),
        )

    def alike(self) -> list["Lessons"]:
        """Return the same rows in parts of like length, without the padding that they need not share.

        A dialogue of three turns is five times as long as one of a single turn. Where lengths differ little, cutting
        would cost more than it saves, and all rows stay together as they are.
        """
        rows, width = self.ids.shape
        parts = self.lengths.argsort(stable=True).tensor_split(_PARTS) if rows >= _PARTS else ()
        widths = [int(self.lengths[part].max()) for part in parts]
        if not parts or sum(len(p) * w for p, w in zip(parts, widths, strict=True)) > (1 - _SAVED) * rows * width:
            return [self]
        return [
            Lessons(self.ids[p, :w], self.labels[p, :w], self.lengths[p]) for p, w in zip(parts, widths, strict=True)
        ]


class Curriculum(NamedTuple):
    """What can be shown.

    Attributes:
        tokenizer: What the lessons are written with.
        right: Every training task, solved; in a world that tells all, a lesson an action.
        slips: The same tasks as a careless demonstrator does them; None in a world that knows no slips.
        odds: `[N]` how probable what the agent says in each lesson is from one who knows the ways of the world.
        probed: `[N]` whether a lesson may be in the probe: where slips are known, one in which somebody could slip;
            elsewhere one whose answer follows from what is told.
    """

    tokenizer: PreTrainedTokenizerFast
    right: Lessons
    slips: Lessons | None
    odds: torch.Tensor
    probed: np.ndarray[tuple[int], np.dtype[np.bool_]]


def demonstrate(env: TextEnv, tasks: Sequence[Task], positions: int) -> Curriculum:
    """Have tasks solved by the world's own demonstrations, and carelessly where it knows how.

    Args:
        env: The world.
        tasks: Which tasks.
        positions: Most tokens of a lesson.

    Raises:
        UsageError: If the world knows no solution, or one is too long.
    """
    odds = [env.odds(task) for task in tasks]
    whole = min(odds) < 1
    # What is shown the right way, which in a world that explains is a task whose answer is told.
    told = [(env.hinted(task) or task) if env.explained else task for task in tasks]
    solutions = [env.demonstration(task) for task in told]
    if any(solution is None for solution in solutions):
        raise UsageError(f"{type(env).__name__} knows no solution to demonstrate; choose another skill.")
    right = [
        list(_dialogue(env, task, actions or (), whole=whole)) for task, actions in zip(told, solutions, strict=True)
    ]
    if env.tells_all:
        # Of what a game's moves were worth together, each has its share.
        odds = [p ** (1 / (len(turns) - 1)) for turns, p in zip(right, odds, strict=True) for _ in turns[1:]]
        right = [[move] for turns in right for move in turns[:-1]]
        tokenizer = learn_words((text for (move,) in right for text in move), positions, forgetful=True)
        chances, all_of_them = torch.tensor(odds, dtype=torch.float64), np.ones(len(right), np.bool_)
        return Curriculum(tokenizer, _fitted(env, tokenizer, right), None, chances, all_of_them)
    missteps = [env.slip(task) for task in tasks]
    slips = [
        right[i] if missteps[i] is None else list(_dialogue(env, task, missteps[i] or ()))
        for i, task in enumerate(tasks)
    ]
    tokenizer = build_tokenizer(positions, words=env.words)
    both = _fitted(env, tokenizer, [*right, *slips])
    taught, slipped = both[torch.arange(len(tasks))], both[torch.arange(len(tasks), 2 * len(tasks))]
    slippery = np.array([misstep is not None for misstep in missteps])
    known = bool(slippery.any())
    probed = slippery if known else np.array([env.follows(task) for task in tasks])
    chances = torch.tensor(odds, dtype=torch.float64)
    return Curriculum(tokenizer, taught, slipped if known else None, chances, probed)


def _fitted(
    env: TextEnv, tokenizer: PreTrainedTokenizerFast, dialogues: Sequence[Sequence[tuple[str, str]]]
) -> Lessons:
    """Encode dialogues as rows of one length."""
    positions = int(tokenizer.model_max_length)
    encoded = [encode_dialogue(tokenizer, turns) for turns in dialogues]
    length = max(len(ids) for ids, _ in encoded)
    if length > positions:
        raise UsageError(f"A demonstration of {env} is {length} tokens long; the plan allows {positions}.")
    return _rows(encoded, length, int(tokenizer.pad_token_id))


def _dialogue(env: TextEnv, task: Task, actions: Sequence[str], *, whole: bool = False) -> Iterator[tuple[str, str]]:
    observation, _ = env.reset(seed=0, options={"task": task})
    for turn, action in enumerate(actions, start=1):
        yield observation, action
        if turn < len(actions) or whole:  # else what is said last is not shown, and judging it may take long
            observation, *_ = env.step(action)
    if whole:
        yield observation, ""


def _rows(encoded: Sequence[tuple[list[int], list[bool]]], length: int, pad: int) -> Lessons:
    ids = torch.full((len(encoded), length), pad)
    labels = torch.full((len(encoded), length), IGNORED)
    for row, (own_ids, spoken) in enumerate(encoded):
        ids[row, : len(own_ids)] = torch.tensor(own_ids)
        labels[row, : len(own_ids)] = torch.where(torch.tensor(spoken), torch.tensor(own_ids), IGNORED)
    return Lessons(ids, labels, torch.tensor([len(own_ids) for own_ids, _ in encoded]))
