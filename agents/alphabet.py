"""The nursery's tokenizer: one token a character, one a role, and a chat template; frequent words may be one token too.

A model of two layers has to read a cell of a board as one token: what stands in it, and where, is then in one place.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

__all__ = ["ASSISTANT", "END", "USER", "build_tokenizer", "encode_dialogue", "learn_words"]

END = "<|end|>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"
_SPECIALS = ("<|pad|>", "<|begin|>", END, "<|unknown|>", "<|system|>", USER, ASSISTANT, "<|tool|>")
_CHARACTERS = ("\n", *(chr(code) for code in range(32, 127)))
_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


# Of a conversation only what was said last is shown.
_FORGETFUL_TEMPLATE = "{%- set messages = messages[-1:] -%}" + _TEMPLATE


# With words, the vocabulary has at most this many tokens; a word has come so often, and so has each part of it.
_WORDS = 512
_OFTEN = 200


@cache
def build_tokenizer(positions: int, *, forgetful: bool = False, words: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """Return the tokenizer: printable ASCII, newline and role tokens; anything else is one unknown token.

    Args:
        positions: Longest context of the model it belongs to, in tokens.
        forgetful: Whether the chat template shows only what was said last; else it only ever appends.
        words: Texts that are one token each, wherever they stand; of two that fit, the longer one.
    """
    tokens = dict.fromkeys((*_SPECIALS, *_CHARACTERS, *words))
    core = Tokenizer(models.WordLevel(vocab={token: i for i, token in enumerate(tokens)}, unk_token="<|unknown|>"))
    known = (re.escape(word) for word in sorted(words, key=len, reverse=True))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("|".join([*known, r"[\s\S]"])), behavior="isolated")
    return _finished(core, positions, forgetful)


def learn_words(texts: Iterable[str], positions: int, *, forgetful: bool = False) -> PreTrainedTokenizerFast:
    """Return a tokenizer like `build_tokenizer`'s in which words that come often are one token, by byte pair encoding.

    A word ends before the next space or line break, which belongs to the word that follows it.

    Args:
        texts: Where the words are learned from.
        positions: See `build_tokenizer`.
        forgetful: See `build_tokenizer`.
    """
    core = Tokenizer(models.BPE(unk_token="<|unknown|>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s?\S+|\s"), behavior="isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=_WORDS,
        min_frequency=_OFTEN,
        special_tokens=list(_SPECIALS),
        initial_alphabet=list(_CHARACTERS),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return _finished(core, positions, forgetful)


def _finished(core: Tokenizer, positions: int, forgetful: bool) -> PreTrainedTokenizerFast:
    core.decoder = decoders.Fuse()
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _SPECIALS])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        bos_token="<|begin|>",
        eos_token=END,
        pad_token="<|pad|>",
        unk_token="<|unknown|>",
        additional_special_tokens=["<|system|>", USER, ASSISTANT, "<|tool|>"],
        chat_template=_FORGETFUL_TEMPLATE if forgetful else _TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=positions,
        padding_side="left",
    )


def encode_dialogue(
    tokenizer: PreTrainedTokenizerFast, turns: Sequence[tuple[str, str]]
) -> tuple[list[int], list[bool]]:
    """Encode what the world and the agent said, as the chat template renders it.

    Args:
        tokenizer: From here.
        turns: Pairs of observation and reply.

    Returns:
        `[L]` ids, and `[L]` whether the agent speaks them (its end token included).
    """
    ids: list[int] = []
    spoken: list[bool] = []
    for observation, reply in turns:
        for text, speaks in ((f"{USER}{observation}{END}{ASSISTANT}", False), (f"{reply}{END}", True)):
            part: list[int] = tokenizer.encode(text, add_special_tokens=False)
            ids += part
            spoken += [speaks] * len(part)
    return ids, spoken
