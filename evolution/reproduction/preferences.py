"""Miniatures of what learns from preferences: the world's, demonstrations', a reward model's, or the policy's own."""

from palaestra.evolution.reproduction.imitation import gain
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Logged, Measured, Minus

__all__ = ["MINIATURES"]

_ENV, _NEWBORN = "arithmetic", "nursery:arithmetic"
_STEPS, _FEW = {"steps": 60, "evaluate_every": 20}, {"steps": 15, "evaluate_every": 15}

_DPO = Miniature(
    "dpo",
    ("dpo",),
    (Arm("dpo", "dpo", _ENV, _NEWBORN, settings=_STEPS, quick=_FEW),),
    (Claim("pairs of attempts raise held-out accuracy", gain("dpo")),),
)

_KTO = Miniature(
    "kto",
    ("kto",),
    (Arm("kto", "kto", _ENV, _NEWBORN, settings=_STEPS, quick=_FEW),),
    (Claim("good and bad attempts without pairs raise held-out accuracy", gain("kto")),),
)

_SPIN = Miniature(
    "spin",
    ("spin",),
    (
        Arm(
            "spin",
            "spin",
            _ENV,
            _NEWBORN,
            settings={"acquire.parts.0.pool": 100, "acquire.parts.1.pool": 100},
            quick={"acquire.parts.0.tasks": 200, "acquire.parts.1.sample.groups": 200},
        ),
    ),
    (
        Claim("self-play ends above fine-tuning on the same demonstrations", gain("spin", 1)),
        Claim("the last iteration gains less than the first", Minus(gain("spin", 1, 2), gain("spin", 4, 5))),
    ),
)

# Of so few demonstrations one pass teaches little and many overfit: there is something left for self-play to do.
# What remains differs much between newborns.
_FEW_SHOWN, _MANY_SEEDS = 20, 10
_SPIN_STEPS = 1 + 4 * 16
_SPIN_FEW = Miniature(
    "spin-few",
    ("spin",),
    (
        Arm(
            "spin",
            "spin",
            _ENV,
            _NEWBORN,
            settings={f"acquire.parts.{part}.pool": _FEW_SHOWN for part in (0, 1)}
            | {"acquire.parts.0.tasks": _FEW_SHOWN, "update.parts.0.epochs": 1},
            quick={"acquire.parts.1.sample.groups": 200, "evaluate.tasks": 200},
        ),
        # A step is one optimiser step here, and there are as many as the other arm takes in all.
        Arm(
            "fine-tuning",
            "sft",
            _ENV,
            _NEWBORN,
            settings={"acquire.pool": _FEW_SHOWN, "acquire.tasks": _FEW_SHOWN}
            | {"steps": _SPIN_STEPS, "evaluate_every": _SPIN_STEPS},
            quick={"evaluate.tasks": 200},
        ),
    ),
    (
        Claim("self-play ends above one pass of fine-tuning on the same few demonstrations", gain("spin", 1)),
        Claim(
            "it ends above as many optimiser steps of fine-tuning alone",
            Minus(Measured("spin"), Measured("fine-tuning")),
        ),
        Claim("the last iteration gains less than the first", Minus(gain("spin", 1, 2), gain("spin", 4, 5))),
    ),
    _MANY_SEEDS,
)

_STAGES = [4, 8, 15]
_RLHF_QUICK = {"acquire.steps": _STAGES, "update.steps": _STAGES, "steps": sum(_STAGES), "evaluate.tasks": 200}
_PPO = 2
_TRUE, _JUDGE = "update/true_reward", "update/judge_reward"
_RLHF = Miniature(
    "rlhf",
    ("rlhf", "ppo"),
    (
        Arm("dear", "rlhf", _ENV, _NEWBORN, settings={"update.parts.2.kl": 0.3}, quick=_RLHF_QUICK),
        Arm("cheap", "rlhf", _ENV, _NEWBORN, settings={"update.parts.2.kl": 0.05}, quick=_RLHF_QUICK),
    ),
    (
        Claim(
            "the reward model prefers what is truly better, more often than by chance",
            Logged("dear", "update/accuracy", last=5, stage=1),
            above=0.5,
        ),
        Claim(
            "where divergence is dear, the true reward rises",
            Minus(Logged("dear", _TRUE, 10, _PPO), Logged("dear", _TRUE, -10, _PPO)),
        ),
        Claim(
            "where it is cheap, the reward model's reward rises",
            Minus(Logged("cheap", _JUDGE, 10, _PPO), Logged("cheap", _JUDGE, -10, _PPO)),
        ),
        Claim(
            "and the true reward falls",
            Minus(Logged("cheap", _TRUE, -10, _PPO), Logged("cheap", _TRUE, 10, _PPO)),
        ),
        Claim(
            "so the true reward ends higher where divergence is dear",
            Minus(Logged("dear", _TRUE, 10, _PPO), Logged("cheap", _TRUE, 10, _PPO)),
        ),
    ),
)

_SELF = {"acquire.sample.groups": 64, "steps": 40, "evaluate_every": 20}
_SELF_QUICK = {"acquire.sample.groups": 32, "acquire.votes": 2, "steps": 10, "evaluate.tasks": 200}
# A birth falls short of the usual 80 % on one seed in a few.
_ABLE = "plan.able=0.7"
_SELF_REWARDING = Miniature(
    "self-rewarding",
    ("self-rewarding",),
    (
        Arm("careful", "self-rewarding", _ENV, f"nursery:verify?{_ABLE}", settings=_SELF, quick=_SELF_QUICK),
        Arm(
            "careless",
            "self-rewarding",
            _ENV,
            f"nursery:verify?careless=true&{_ABLE}",
            settings=_SELF,
            quick=_SELF_QUICK,
        ),
    ),
    (
        Claim("a policy that judges well becomes better by its own judgements", gain("careful")),
        Claim(
            "one that judges as carelessly as it replies feeds on itself and gets worse",
            Minus(Measured("careless", at=0), Measured("careless")),
        ),
        Claim("judging well gains more than judging carelessly", Minus(gain("careful"), gain("careless"))),
    ),
)

# The second try follows what the world says of the first, and a failed trajectory is both. The same few demonstrations
# for both arms: cloning must leave something to be learned.
_TWICE, _SHOWN = f"{_ENV}?tries=2", 100
_EXPERT = {f"acquire.parts.{part}.pool": _SHOWN for part in (0, 1)} | {
    f"acquire.parts.{at}.max_tokens": 8 for at in ("0.sampling", "1.sample.sampling")
}
_EXPLORED = {"update.parts.1.epochs": 4, "evaluate.sampling.max_tokens": 8}
_CLONED = {"acquire.pool": _SHOWN, "acquire.tasks": 64, "evaluate_every": 130} | {
    f"{phase}.sampling.max_tokens": 8 for phase in ("acquire", "evaluate")
}
_ETO_STAGES = [8, 8]
_ETO_QUICK = {"acquire.steps": _ETO_STAGES, "update.steps": _ETO_STAGES, "steps": sum(_ETO_STAGES)} | {
    "evaluate_every": _ETO_STAGES[0],
    "evaluate.tasks": 150,
}
_ETO = Miniature(
    "eto",
    ("eto",),
    (
        Arm("eto", "eto", _TWICE, _NEWBORN, settings=_EXPERT | _EXPLORED, quick=_ETO_QUICK),
        # As many optimiser steps, all of them of cloning: a step of contrast makes four passes over what is one batch.
        Arm(
            "cloning",
            "sft",
            _TWICE,
            _NEWBORN,
            settings=_CLONED | {"steps": 10 + 4 * 30},
            quick={"evaluate.tasks": 150, "steps": _ETO_STAGES[0] + 4 * _ETO_STAGES[1]},
        ),
    ),
    (
        Claim("contrast of failed and successful trajectories adds to cloning", gain("eto", 1)),
        Claim("it ends above as many optimiser steps of cloning alone", Minus(Measured("eto"), Measured("cloning"))),
    ),
)

# One pass of cloning over few demonstrations, then contrast, of two passes each: some 25 optimiser steps in all.
_ETO_FEW_STAGES, _ETO_FEW_STEPS = [1, 10], 25
_ETO_FEW = Miniature(
    "eto-few",
    ("eto",),
    (
        Arm(
            "eto",
            "eto",
            _TWICE,
            _NEWBORN,
            settings=_EXPERT
            | {f"acquire.parts.{part}.pool": _FEW_SHOWN for part in (0, 1)}
            | {"acquire.parts.0.tasks": _FEW_SHOWN, "acquire.steps": _ETO_FEW_STAGES, "update.steps": _ETO_FEW_STAGES}
            | {"steps": sum(_ETO_FEW_STAGES), "evaluate_every": 1}
            | {"update.parts.1.epochs": 2, "evaluate.sampling.max_tokens": 8},
            quick={"evaluate.tasks": 150},
        ),
        Arm(
            "cloning",
            "sft",
            _TWICE,
            _NEWBORN,
            settings=_CLONED
            | {"acquire.pool": _FEW_SHOWN, "acquire.tasks": _FEW_SHOWN}
            | {"steps": _ETO_FEW_STEPS, "evaluate_every": _ETO_FEW_STEPS},
            quick={"evaluate.tasks": 150},
        ),
    ),
    (
        Claim("contrast of failed and successful trajectories adds to one pass of cloning", gain("eto", 1)),
        Claim("it ends above as many optimiser steps of cloning alone", Minus(Measured("eto"), Measured("cloning"))),
    ),
    _MANY_SEEDS,
)

MINIATURES = (_DPO, _KTO, _SPIN, _SPIN_FEW, _RLHF, _SELF_REWARDING, _ETO, _ETO_FEW)
