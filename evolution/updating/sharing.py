"""Run what rows share through the model once.

The attempts of a group begin with the same prompt, and a trainer that pads each to a row of its own computes it again
for every one. Here the rows of one prompt are laid end to end behind a single copy of it: each reply sees the prompt
and itself, at the positions it was sampled at, and no other reply. The last id of the prompt is repeated in front of
each reply, so that every sampled id has the id it followed right before it.

    prompt[:-1]  last reply 1 ...  last reply 2 ...  last reply 3 ...
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

__all__ = ["Packing", "pack", "takes_packing"]

_IGNORED = -100
# Laid out so, ids must become at least this much fewer for the layout to pay.
_WORTH = 0.75
# The mask has one entry for every pair of ids in a line; above this it costs more than it saves.
_MOST_PAIRS = 2**26


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """R rows of C scored ids, laid out in N lines of W ids.

    Attributes:
        ids: `[N, W]` token ids.
        positions: `[N, W]` position of each id in the row it came from.
        visible: `[N, 1, W, W]` whether the id of the third axis sees that of the fourth.
        labels: `[N, W]` the ids to score, -100 elsewhere.
        line: `[R, C]` line of each scored id, 0 where none is.
        column: `[R, C]` its place among the scores of its line, which begin at the second id.
        scored: `[R, C]` whether the id is scored: from the row's first sampled id to its end.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    visible: torch.Tensor
    labels: torch.Tensor
    line: torch.Tensor
    column: torch.Tensor
    scored: torch.Tensor

    def unpack(self, scores: torch.Tensor) -> torch.Tensor:
        """Return `[R, C]` scores from the `[N, W - 1]` that the model gave for the lines; 0 where nothing is scored."""
        return torch.where(self.scored, scores[self.line, self.column], 0.0)


def takes_packing(model: PreTrainedModel) -> bool:
    """Whether the model reads a mask of its own for every id: no attention windows, torch's own attention."""
    config = model.config.get_text_config()
    layers = getattr(config, "layer_types", None) or []
    windows = getattr(config, "sliding_window", None) is not None and "full_attention" not in layers
    return config._attn_implementation == "sdpa" and not windows and set(layers) <= {"full_attention"}


def pack(ids: torch.Tensor, lengths: torch.Tensor, starts: torch.Tensor, split: int) -> Packing | None:
    """Lay rows with equal prompts end to end.

    Args:
        ids: `[R, L]` token ids, padded on the right.
        lengths: `[R]` ids of each row.
        starts: `[R]` ids before the first sampled one.
        split: Scores are wanted from this id on; C is `L - split`.

    Returns:
        The packing; None where it would not pay.
    """
    rows, size, begin = ids.cpu().numpy(), lengths.cpu().numpy(), starts.cpu().numpy()
    groups: dict[bytes, list[int]] = {}
    for row in range(len(rows)):
        groups.setdefault(rows[row, : begin[row]].tobytes(), []).append(row)
    tails = size - begin + 1
    widths = [int(begin[members[0]] - 1 + tails[members].sum()) for members in groups.values()]
    width = max(widths)
    if len(groups) * width > _WORTH * rows.size or len(groups) * width**2 > _MOST_PAIRS:
        return None
    packed = np.zeros((len(groups), width), np.int64)
    positions = np.zeros_like(packed)
    labels = np.full_like(packed, _IGNORED)
    owner = np.full_like(packed, -1)  # 0 for the prompt, then 1, 2, ... for the replies, -1 after the end
    line = np.zeros((len(rows), rows.shape[1] - split), np.int64)
    column, scored = np.zeros_like(line), np.zeros(line.shape, np.bool_)
    for number, members in enumerate(groups.values()):
        at = int(begin[members[0]]) - 1
        packed[number, :at] = rows[members[0], :at]
        positions[number, :at] = np.arange(at)
        owner[number, :at] = 0
        for reply, row in enumerate(members, start=1):
            head, end = int(begin[row]), int(size[row])
            here = slice(at, at + end - head + 1)
            packed[number, here] = rows[row, head - 1 : end]
            positions[number, here] = np.arange(head - 1, end)
            labels[number, at + 1 : here.stop] = rows[row, head:end]
            owner[number, here] = reply
            line[row, head - split : end - split] = number
            column[row, head - split : end - split] = np.arange(at, here.stop - 1)
            scored[row, head - split : end - split] = True
            at = here.stop
    arrays = (packed, positions, _visible(owner), labels, line, column, scored)
    return Packing(*(torch.from_numpy(array).to(ids.device) for array in arrays))


def _visible(owner: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return `[N, 1, W, W]`: each id sees those before it of the prompt and of its own reply, and itself."""
    seen, sees = owner[:, None, :], owner[:, :, None]
    earlier = np.tri(owner.shape[1], dtype=np.bool_)
    visible = earlier & ((seen == 0) | (seen == sees)) & (sees >= 0)
    # An id that sees nothing would make the softmax undefined; what follows the end sees itself, and nobody sees it.
    visible |= np.eye(owner.shape[1], dtype=np.bool_)
    return np.asarray(visible[:, None])
