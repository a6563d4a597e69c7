"""Recorded episodes as the padded tensors a trainer reads; nothing is encoded anew.

Rows are padded on the right alone and cut in two at the shortest prompt: what all rows have before their first sampled
id is the trainer's "prompt", everything else its "completion". So a batch is as wide as its longest row, and an id
stands at the position it was sampled at, which left padding breaks for models with absolute positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.episode import Episode, TokenRow
from palaestra.envs.errors import ShapeError

__all__ = ["Batch", "Inputs", "Rows", "assemble"]

Inputs: TypeAlias = dict[str, torch.Tensor]
Rows: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows to learn from, in the order of their episodes.

    Attributes:
        ids: `[B, L]` token ids, 0 after a row's end.
        sampled: `[B, L]` 1 where the policy sampled the id, else 0: the loss mask.
        advantages: `[B, L]` advantage of the turn that sampled the id, 0 elsewhere.
        logprobs: `[B, L]` log-probabilities in nats as sampled, 0 elsewhere.
        lengths: `[B]` ids of each row.
        starts: `[B]` ids before the first sampled one, at least 1.
        turns: `[B, L]` index of the turn that sampled each id, -1 elsewhere.
        owners: `[B]` index of each row's episode; an episode has several where its context was rewritten.
        reference: `[B, L]` log-probabilities of the sampled ids under a reference policy, 0 elsewhere; None without.
    """

    ids: NDArray[np.int64]
    sampled: NDArray[np.int64]
    advantages: NDArray[np.float32]
    logprobs: NDArray[np.float32]
    lengths: Rows
    starts: Rows
    turns: Rows
    owners: Rows
    reference: NDArray[np.float32] | None = None

    @property
    def tokens(self) -> int:
        """How many ids were sampled."""
        return int(self.sampled.sum())

    @property
    def informative(self) -> Rows:
        """Rows with any advantage, in order."""
        return np.flatnonzero(self.advantages.any(axis=1))

    def policy_gradient(self, rows: Rows, device: torch.device) -> Inputs:
        """Return the named tensors that `GRPOTrainer._compute_loss` reads for some rows.

        Args:
            rows: `[R]` indices.
            device: Where to put the tensors.

        Returns:
            `prompt_ids`, `prompt_mask` `[R, P]`; `completion_ids`, `completion_mask` (1 on the row), `tool_mask` (1
            where sampled), `advantages`, `old_per_token_logps` and, where there is a reference,
            `ref_per_token_logps` `[R, C]`. P is the shortest prompt, P + C the longest row.
        """
        split, width = int(self.starts[rows].min()), int(self.lengths[rows].max())
        after = slice(split, width)
        arrays = {
            "prompt_ids": self.ids[rows, :split],
            "prompt_mask": np.ones((len(rows), split), np.int64),
            "completion_ids": self.ids[rows, after],
            "completion_mask": (np.arange(split, width) < self.lengths[rows, None]).astype(np.int64),
            "tool_mask": self.sampled[rows, after],
            "advantages": self.advantages[rows, after],
            "old_per_token_logps": self.logprobs[rows, after],
        }
        if self.reference is not None:
            arrays["ref_per_token_logps"] = self.reference[rows, after]
        return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}

    def next_token(self, rows: Rows, device: torch.device) -> Inputs:
        """Return `input_ids`, `attention_mask` and `labels` (-100 where not sampled), `[R, L]`, for some rows."""
        width = int(self.lengths[rows].max())
        ids = self.ids[rows, :width]
        arrays = {
            "input_ids": ids,
            "attention_mask": (np.arange(width) < self.lengths[rows, None]).astype(np.int64),
            "labels": np.where(self.sampled[rows, :width] == 1, ids, -100),
        }
        return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}

    def split(self, rows: Rows, size: int) -> list[Rows]:
        """Cut rows into parts of at most `size` and nearly equal number, rows of like length together."""
        if len(rows) == 0:
            return []
        by_length = rows[np.argsort(self.lengths[rows], kind="stable")]
        return np.array_split(by_length, -(-len(rows) // size))


def assemble(episodes: Sequence[Episode], advantages: Sequence[NDArray[np.float64]] | None = None) -> Batch:
    """Lay out every row of the episodes.

    Args:
        episodes: What was lived through; an episode without sampled ids gives no row.
        advantages: For each episode, `[T]` one for each of its turns; zero where none are given.

    Raises:
        ShapeError: If the advantages do not match the turns, or a row begins with a sampled id.
    """
    credit = [np.zeros(len(e.turns)) for e in episodes] if advantages is None else advantages
    if [len(a) for a in credit] != [len(e.turns) for e in episodes]:
        raise ShapeError("Every episode needs one advantage a turn; see palaestra.evolution.updating.credit.")
    rows: list[TokenRow] = []
    owners: list[int] = []
    for number, episode in enumerate(episodes):
        of_episode = episode.rows()
        rows += of_episode
        owners += [number] * len(of_episode)
    lengths = np.array([len(row.ids) for row in rows], np.int64)
    filled = np.arange(max(1, lengths.max(initial=0))) < lengths[:, None]
    turn = _grid(filled, [row.turn for row in rows], -1, np.int64)
    sampled = turn >= 0
    starts = sampled.argmax(axis=1)
    if (starts == 0).any():
        raise ShapeError(f"Row {int(starts.argmin())} begins with a sampled id; the first id needs a context.")
    # The advantages of all turns of all episodes in one line; each row knows where its episode's begin.
    line = np.concatenate([*credit, np.zeros(1)])
    owner = np.array(owners, np.int64)
    begin = np.cumsum([0, *(len(a) for a in credit)])[owner]
    return Batch(
        ids=_grid(filled, [row.ids for row in rows], 0, np.int64),
        sampled=sampled.astype(np.int64),
        advantages=np.where(sampled, line[turn + begin[:, None]], 0.0).astype(np.float32),
        logprobs=_grid(filled, [row.logprobs for row in rows], 0.0, np.float32),
        lengths=lengths,
        starts=starts,
        turns=turn,
        owners=owner,
    )


def _grid(filled: NDArray[np.bool_], arrays: Sequence[NDArray[Any]], padding: float, dtype: type[Any]) -> NDArray[Any]:
    grid = np.full(filled.shape, padding, dtype)
    if arrays:
        grid[filled] = np.concatenate(arrays)
    return grid
