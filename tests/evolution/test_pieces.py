"""What tokens spell, piece by piece, is what they spell together."""

from pathlib import Path

from palaestra.evolution.report.account.pieces import specials_of, speller_of
from palaestra.evolution.run import Run
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers


def byte_level() -> Tokenizer:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        ["the cat sat"] * 9, trainers.BpeTrainer(vocab_size=270, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    )
    core.add_special_tokens([AddedToken("<|im_end|>", special=True)])
    return core


def metaspace() -> Tokenizer:
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    core.train_from_iterator(
        ["the cat sat on the mat"] * 9, trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>"])
    )
    return core


def run_with(tokenizer: Tokenizer, place: Path) -> Run:
    run = Run.create(place, {"recipe": "grpo"})
    run.commit_checkpoint(0, lambda directory: tokenizer.save(str(directory / "tokenizer.json")))
    return run


def test_halves_of_characters_are_spelled_by_the_token_that_ends_them(tmp_path: Path) -> None:
    tokenizer, text = byte_level(), "the cat 猫 sat 🐈<|im_end|>"
    with run_with(tokenizer, tmp_path / "run") as run:
        ids = tokenizer.encode(text).ids
        pieces = speller_of(run)(ids)
        assert specials_of(run) == ["<|im_end|>"]
    assert len(pieces) == len(ids)
    assert "".join(pieces) == text
    assert "猫" in pieces
    assert "🐈" in pieces
    assert pieces[-1] == "<|im_end|>"


def test_spaces_between_words_are_not_lost(tmp_path: Path) -> None:
    tokenizer = metaspace()
    with run_with(tokenizer, tmp_path / "run") as run:
        ids = tokenizer.encode("the cat sat on the mat").ids
        assert "".join(speller_of(run)(ids)) == tokenizer.decode(ids, skip_special_tokens=False)


def test_without_a_tokenizer_tokens_are_their_numbers(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", {"recipe": "grpo"}) as run:
        assert speller_of(run)([7, 8]) == ["⟨7⟩", "⟨8⟩"]
        assert specials_of(run) == []
