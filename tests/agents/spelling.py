"""Tokenizers whose tokens are pieces of words, and bytes."""

from functools import cache

from small import APPENDING, SPECIALS
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

WORDS = "the answer is END of the END and the ends send the end; Straße, naïve, 猫が好き 🙂 done.\n" * 20


@cache
def piece_tokenizer():
    """Bytes and what is made of them."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=alphabet, special_tokens=list(SPECIALS), show_progress=False
    )
    inner.train_from_iterator([WORDS], trainer)
    return _wrapped(inner)


@cache
def space_tokenizer():
    """Pieces that begin with a space, which is left out where a text begins; other characters byte by byte."""
    vocabulary = [*SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁the", "▁END", "EN", "D", "D.", "▁D"]
    vocabulary += ["a", "e", "s", "n", ".", "猫", "▁is"]
    inner = Tokenizer(models.BPE({word: i for i, word in enumerate(vocabulary)}, [], byte_fallback=True))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _wrapped(inner)


def _wrapped(inner):
    inner.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIALS])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<end>",
        unk_token="<unk>",
        chat_template=APPENDING,
    )
