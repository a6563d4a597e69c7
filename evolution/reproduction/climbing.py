"""Miniatures of what climbs by reward, and of what plays against itself."""

from palaestra.evolution.reproduction.imitation import gain
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Fewer, Logged, Measured, Minus

__all__ = ["MINIATURES"]

_ENV, _NEWBORN = "arithmetic", "nursery:arithmetic"

_FAMILY = ("grpo", "dr-grpo", "dapo", "gspo", "rloo", "reinforce++")
_GRPO = Miniature(
    "grpo-family",
    _FAMILY,
    tuple(
        Arm(name, name, _ENV, _NEWBORN, settings={"steps": 30, "evaluate_every": 30}, quick={"steps": 10})
        for name in _FAMILY
    ),
    tuple(Claim(f"{name} raises held-out accuracy", gain(name)) for name in _FAMILY),
)

# With one optimiser step a batch no ratio leaves its bounds, so the kin differ little; with four it does.
_CLIPPED = {"update.updates_per_batch": 4, "steps": 60, "evaluate_every": 60}
_GRPO_CLIPPED = Miniature(
    "grpo-clipped",
    ("grpo", "dapo", "gspo"),
    tuple(
        Arm(name, name, _ENV, _NEWBORN, settings=_CLIPPED, quick={"steps": 10, "evaluate_every": 10})
        for name in ("grpo", "dapo", "gspo")
    ),
    (
        Claim(
            "gspo leaves out a larger share of tokens above its bound than grpo, by at least 10 points",
            Minus(Logged("gspo", "update/clip_high"), Logged("grpo", "update/clip_high")),
            above=0.1,
        ),
        Claim("and ends no more than two points below it", Minus(Measured("gspo"), Measured("grpo")), above=-0.02),
        Claim(
            "the higher upper bound of dapo keeps more entropy than grpo's",
            Minus(Logged("dapo", "update/entropy"), Logged("grpo", "update/entropy")),
        ),
    ),
)

_OFTEN = {"steps": 80, "evaluate_every": 2, "evaluate.tasks": 300}
_OFTEN_QUICK = {"steps": 24, "evaluate.tasks": 200}
_CURRICULUM = Miniature(
    "curriculum",
    ("curriculum",),
    (
        Arm(
            "curriculum",
            "curriculum",
            _ENV,
            _NEWBORN,
            settings=_OFTEN | {"acquire.by": "difficulty"},
            quick=_OFTEN_QUICK,
        ),
        Arm("grpo", "grpo", _ENV, _NEWBORN, settings=_OFTEN, quick=_OFTEN_QUICK),
    ),
    (
        Claim(
            "tasks of middle difficulty reach 85 % with fewer episodes than tasks as they come",
            Fewer("curriculum", "grpo", 0.85),
        ),
    ),
)

_SETTING = "proposer_solver?operations=%2B&explain=false&solvers=8"
_BOTH_SIDES = "nursery:setandsolve"
# Three rounds of a dozen steps, each measured at its end.
_ROUNDS = {"steps": 36, "evaluate_every": 12, "evaluate.tasks.tasks": 300} | {
    f"{phase}.sampling.max_tokens": 8 for phase in ("acquire", "evaluate", "evaluate.tasks")
}
_ROUNDS_QUICK = {"steps": 9, "evaluate_every": 3, "evaluate.tasks.tasks": 150, "evaluate.games": 64}


def _solving(arm: str, at: int = -1) -> Measured:
    return Measured(arm, at=at, env=_ENV)


_ABSOLUTE_ZERO = Miniature(
    "absolute-zero",
    ("absolute-zero",),
    (
        Arm(
            "absolute-zero",
            "absolute-zero",
            _SETTING,
            _BOTH_SIDES,
            watch=(_ENV,),
            settings=_ROUNDS,
            quick=_ROUNDS_QUICK,
        ),
    ),
    (
        Claim(
            "without data the solver improves at held-out sums",
            Minus(_solving("absolute-zero"), _solving("absolute-zero", 0)),
        ),
        Claim("the proposer drifts to middle difficulty", gain("absolute-zero", what="middle")),
        Claim(
            "in the third round the solver still improves",
            Minus(_solving("absolute-zero", 3), _solving("absolute-zero", 2)),
        ),
    ),
)

_ABLE = f"{_BOTH_SIDES}?plan.careless=0.4"
_R_ZERO = Miniature(
    "r-zero",
    ("r-zero",),
    (
        Arm("able", "r-zero", _SETTING, _ABLE, watch=(_ENV,), settings=_ROUNDS, quick=_ROUNDS_QUICK),
        Arm("careless", "r-zero", _SETTING, _BOTH_SIDES, watch=(_ENV,), settings=_ROUNDS, quick=_ROUNDS_QUICK),
    ),
    (
        Claim(
            "without data or labels a solver that is mostly right improves at held-out sums",
            Minus(_solving("able"), _solving("able", 0)),
        ),
        Claim("its proposer drifts to middle difficulty", gain("able", what="middle")),
        Claim("in the third round it falls", Minus(_solving("able", 2), _solving("able", 3))),
        Claim(
            "one whose commonest answer is wrong gains less",
            Minus(Minus(_solving("able"), _solving("able", 0)), Minus(_solving("careless"), _solving("careless", 0))),
        ),
    ),
)

_HALF = {"acquire.groups": 16}
_REPLAY = Miniature(
    "replay",
    ("replay",),
    (
        Arm(
            "replay",
            "replay",
            _ENV,
            _NEWBORN,
            settings=_OFTEN | _HALF | {"acquire.fresh.groups": 16},
            quick=_OFTEN_QUICK,
        ),
        Arm("grpo", "grpo", _ENV, _NEWBORN, settings=_OFTEN | _HALF, quick=_OFTEN_QUICK),
    ),
    (
        Claim(
            "with as many old groups as new ones 85 % is reached with fewer episodes than with the new ones alone",
            Fewer("replay", "grpo", 0.85),
        ),
    ),
)

_KUHN = "kuhn_poker?explain=false"
_SPIRAL = Miniature(
    "spiral",
    ("spiral",),
    (
        Arm(
            "spiral",
            "spiral",
            _KUHN,
            f"nursery:{_KUHN}",
            settings={"evaluate_every": 160, "evaluate.games": 1000},
            quick={"steps": 25, "evaluate.games": 200},
        ),
    ),
    (
        Claim(
            "self-play makes a policy harder to exploit",
            Minus(Measured("spiral", "exploitability", 0), Measured("spiral", "exploitability")),
        ),
        Claim(
            "it wins more than half of what can be won against its own start",
            Measured("spiral", measure="share won against start"),
            above=0.5,
        ),
    ),
)

_NIM = "nim?piles=3,4,5&explain=false"
_ALPHAZERO = Miniature(
    "alphazero",
    ("alphazero",),
    (
        Arm(
            "alphazero",
            "alphazero",
            _NIM,
            f"nursery:{_NIM}",
            settings={"evaluate_every": 30, "evaluate.games": 1000},
            quick={"steps": 6, "evaluate.games": 200, "acquire.games": 64},
        ),
    ),
    (
        Claim(
            "imitating a search that it leads, a policy wins at least 30 points more against minimax",
            gain("alphazero"),
            above=0.3,
        ),
    ),
)

MINIATURES = (_GRPO, _GRPO_CLIPPED, _CURRICULUM, _REPLAY, _ABSOLUTE_ZERO, _R_ZERO, _SPIRAL, _ALPHAZERO)
