"""Stop strings: where a reply ends that comes to hold one, by one rule for all engines in this process.

A reply ends with the first sampled token after which the text of its ids holds a stop string. All its ids up to and
including that token are the sample, with their log-probabilities, wherever within tokens the string begins and ends;
what is said is the text before the string, or before the first of several. The text is that of the reply's ids alone,
special tokens spelled out. An end-of-turn token ends a reply as such, whatever it spells.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from palaestra.agents.policy import FinishReason, IntArray, Request, Sample
from transformers import PreTrainedTokenizerBase

__all__ = ["StopStrings", "StopWatch", "said", "text_of"]

# The text of a reply's last tokens may differ from the end of the whole text in its first characters alone: half a
# character, or a space that is left out where a text begins.
_MARGIN: Final = 8
_HALF: Final = "\ufffd"


def text_of(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """Return what ids spell, special tokens included."""
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def said(tokenizer: PreTrainedTokenizerBase, sample: Sample, stop: Sequence[str]) -> str:
    """Return what a sample says: without its end-of-turn token, and up to the first of the stop strings.

    Args:
        tokenizer: Of the policy that sampled.
        sample: The reply.
        stop: Stop strings of its request.
    """
    ids = sample.ids[:-1] if sample.finish is FinishReason.STOP else sample.ids
    text = text_of(tokenizer, ids.tolist())
    if sample.finish is not FinishReason.STOP_STRING:
        return text
    return text[: min((at for string in stop if (at := text.find(string)) >= 0), default=len(text))]


class StopStrings:
    """Whether a reply has come to hold one of some strings.

    Args:
        tokenizer: Of the policy that samples.
        stop: The strings, at least one.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stop = stop
        self._longest = max(map(len, stop)) + _MARGIN

    def end(self, ids: list[int]) -> bool:
        """Whether the text of `ids` holds one, where that of all but the last of them holds none."""
        if len(ids) > self._longest:
            # The string has just ended: the last tokens suffice, unless they spell too little or halves of characters.
            tail = text_of(self._tokenizer, ids[-self._longest :])
            if len(tail) >= self._longest and _HALF not in tail and not self._holds(tail):
                return False
        return self._holds(text_of(self._tokenizer, ids))

    def _holds(self, text: str) -> bool:
        return any(string in text for string in self._stop)


class StopWatch:
    """Looks for the stop strings of the requests in a batch; costs nothing for those without.

    Args:
        tokenizer: Of the policy that samples.
        requests: B requests.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request]) -> None:
        by_strings = {stop: StopStrings(tokenizer, stop) for stop in {r.sampling.stop for r in requests} if stop}
        self._strings = {row: by_strings[r.sampling.stop] for row, r in enumerate(requests) if r.sampling.stop}
        self._ids: dict[int, list[int]] = {row: [] for row in self._strings}

    def end(self, rows: NDArray[np.intp], tokens: IntArray, alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Note one more token of some rows; return which of them end with it.

        Args:
            rows: `[N]` which of the requests they belong to.
            tokens: `[N]` what was sampled.
            alive: `[N]` whether they go on; of the others nothing is noted.
        """
        ended = np.zeros(len(rows), np.bool_)
        for row, ids in self._ids.items():
            for place in np.flatnonzero((rows == row) & alive):
                ids.append(int(tokens[place]))
                ended[place] = self._strings[row].end(ids)
        return ended
