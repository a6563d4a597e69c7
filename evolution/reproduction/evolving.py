"""Miniatures of tasks that evolve: written by the policy, checked by the world, learned from."""

from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Measured, Minus

__all__ = ["MINIATURES"]

_SHORT = {
    "acquire.explain": False,
    "acquire.writing.max_tokens": 16,
    "acquire.sampling.max_tokens": 6,
    "evaluate.tasks.sampling.max_tokens": 6,
}
_SMALL = "plan.hidden_size=64&plan.intermediate_size=256"

_SUMS, _WRITER = "arithmetic", f"nursery:workshop?examples=4&{_SMALL}"
_FOUR = {"acquire.orders.seeds": 3, "acquire.orders.written": 1}  # as the newborn policy has seen it
_FEW = (
    _SHORT | _FOUR | {"acquire.count": 24, "acquire.written": 128, "acquire.groups": 128, "evaluate.tasks.tasks": 300}
)
_SELF_INSTRUCT = Miniature(
    "self-instruct",
    ("self-instruct",),
    (
        Arm("grown", "self-instruct", _SUMS, _WRITER, settings=_FEW),
        Arm("unfiltered", "self-instruct", _SUMS, _WRITER, settings=_FEW | {"acquire.vets.1.most": 2.0}),
        Arm("seeds", "self-instruct", _SUMS, _WRITER, settings=_FEW | {"acquire.written": 0}),
    ),
    (
        Claim(
            "a policy that learns from the tasks it has written, too, ends above one that learns from the seeds alone, "
            "with as many attempts",
            Minus(Measured("grown"), Measured("seeds")),
        ),
        Claim(
            "the first 100 written tasks are less alike where what is too like the pool is refused",
            Minus(Measured("grown", "spread"), Measured("unfiltered", "spread")),
        ),
    ),
)

# Harder tasks than the seeds: four numbers, where those have two.
_HARD, _EVOLVER = (
    "arithmetic?digits=1&operands=4",
    f"nursery:workshop?of=arithmetic%3Fdigits%3D1%26operands%3D4%26fewest%3D2&writes=evolution&size=3000&{_SMALL}",
)
_EASY = _SHORT | {
    "acquire.seeds": "arithmetic?digits=1",
    "acquire.count": 60,
    "acquire.written": 60,
    "acquire.groups": 60,
    "evaluate.tasks.tasks": 300,
}
_STILL = _EASY | {"update.learning_rate": 0.0, "evaluate.tasks.tasks": 20}
_EVOL_INSTRUCT = Miniature(
    "evol-instruct",
    ("evol-instruct",),
    (
        Arm("evolved", "evol-instruct", _HARD, _EVOLVER, settings=_EASY),
        Arm("seeds", "evol-instruct", _HARD, _EVOLVER, settings=_EASY | {"acquire.written": 0}),
        # Learns nothing, so that the policy of the start writes and tries every generation.
        Arm("start", "evol-instruct", _HARD, _EVOLVER, settings=_STILL),
    ),
    (
        Claim(
            "on harder held-out tasks, learning from evolved tasks ends above learning from the seeds, with as many "
            "attempts",
            Minus(Measured("evolved"), Measured("seeds")),
        ),
        Claim(
            "the policy of the start solves less of the third generation than of the first",
            Minus(Measured("start", "solved", 1), Measured("start", "solved", 3)),
        ),
    ),
)

MINIATURES = (_SELF_INSTRUCT, _EVOL_INSTRUCT)
