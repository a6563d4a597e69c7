import torch
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.lessons import IGNORED, Lessons
from palaestra.agents.nursery import Plan, _losses, _new_model

PAD = 0


def lessons(lengths: list[int]) -> Lessons:
    generator = torch.Generator().manual_seed(0)
    width = max(lengths)
    ids = torch.randint(10, 90, (len(lengths), width), generator=generator)
    kept = torch.arange(width) < torch.tensor(lengths)[:, None]
    labels = torch.where(kept & (torch.arange(width) > 1), ids, IGNORED)
    return Lessons(torch.where(kept, ids, PAD), labels, torch.tensor(lengths))


def test_rows_of_like_length_go_together_and_none_is_lost() -> None:
    whole = lessons([30, 5, 6, 29, 5, 7, 6, 5])
    parts = whole.alike()
    assert [part.ids.shape[1] for part in parts] == [5, 6, 7, 30]
    found = [row[:length].tolist() for part in parts for row, length in zip(part.ids, part.lengths, strict=True)]
    assert sorted(found) == sorted(row[:length].tolist() for row, length in zip(whole.ids, whole.lengths, strict=True))


def test_where_lengths_differ_little_all_rows_stay_as_they_are() -> None:
    whole = lessons([18, 17, 16, 18, 17, 16, 18, 18])
    assert whole.alike() == [whole]
    few = lessons([18, 2])
    assert few.alike() == [few]


def test_the_loss_of_the_parts_is_the_loss_of_the_whole() -> None:
    rows = lessons([30, 5, 6, 29, 5, 7, 6, 5])
    model = _new_model(Plan(hidden_size=32, intermediate_size=64), 0, build_tokenizer(64))
    parts = list(_losses(model, rows))
    logits = model(input_ids=rows.ids).logits[:, :-1]
    whole = torch.nn.functional.cross_entropy(logits.transpose(1, 2), rows.labels[:, 1:], ignore_index=IGNORED)
    assert len(parts) > 1
    assert torch.allclose(torch.stack(parts).sum(), whole, rtol=1e-5)
