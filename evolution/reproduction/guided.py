"""Miniatures of what learns from what it is shown: a weak teacher's labels, a trace, documents, a critic's words."""

from palaestra.evolution.reproduction.imitation import gain
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Measured, Minus, Negative, Recovered

__all__ = ["MINIATURES"]

_ENV, _NEWBORN = "arithmetic", "nursery:arithmetic"
# The weak policy of the recipe. In the quick profile all seeds have the same one.
_WEAK = (
    "nursery:arithmetic?size=5000&plan.hidden_size=32&plan.intermediate_size=64&plan.heads=2&plan.careless=0.45"
    "&plan.practise_steps=40&plan.settle_steps=40&plan.able=0.5"
)
_TAUGHT_QUICK = {"acquire.weak": f"{_WEAK}&seed=0", "acquire.tasks": 1000}
_NAIVE = {"update.confidence": 0.0}
_WEAK_TO_STRONG = Miniature(
    "weak-to-strong",
    ("weak-to-strong",),
    (
        # What the teacher can do is measured at its start; the one step that a run needs changes nothing of that.
        Arm("weak", "sft", _ENV, _WEAK, settings={"acquire.tasks": 1, "steps": 1}),
        Arm("naive", "weak-to-strong", _ENV, _NEWBORN, settings=_NAIVE, quick=_TAUGHT_QUICK),
        Arm("confident", "weak-to-strong", _ENV, _NEWBORN, quick=_TAUGHT_QUICK),
        Arm(
            "ceiling",
            "weak-to-strong",
            _ENV,
            _NEWBORN,
            settings=_NAIVE | {"acquire.labels": "right"},
            quick=_TAUGHT_QUICK,
        ),
    ),
    (
        Claim(
            "a strong policy that learns naively from a weak one's labels recovers some of the gap to the ceiling",
            Recovered(Measured("weak", at=0), Measured("naive"), Measured("ceiling")),
        ),
        Claim("with the confidence loss it ends above the naive one", Minus(Measured("confident"), Measured("naive"))),
    ),
)

_PROGRAMS = "mend?highest=5&size=1500"
_TRACED, _PLAIN = f"{_PROGRAMS}&trace=on", f"{_PROGRAMS}&trace=off"
# Half of its lessons have a trace, half of them slip. It is born before it does as well without traces as with them.
_MENDER = (
    f"nursery:{_PROGRAMS}&plan.hidden_size=64&plan.intermediate_size=256&plan.positions=256"
    "&plan.careless=0.5&plan.able=0.4&plan.practise_steps=0&plan.settle_steps=60"
)
_NEXT = Miniature(
    "next",
    ("next",),
    (
        Arm(
            "next",
            "next",
            _TRACED,
            _MENDER,
            watch=(_PLAIN,),
            settings={"acquire.attempts": 16, "acquire.sampling.max_tokens": 12, "evaluate.sampling.max_tokens": 12}
            | {"steps": 4},
            quick={"acquire.groups": 48, "acquire.attempts": 8, "steps": 2},
        ),
    ),
    (
        Claim(
            "programs are repaired more often with their trace than without",
            Minus(Measured("next", at=0, env=_TRACED), Measured("next", at=0, env=_PLAIN)),
        ),
        Claim("self-training on repairs that pass raises the share with a trace", gain("next")),
        Claim(
            "without a trace it ends above where it began without one",
            Minus(Measured("next", env=_PLAIN), Measured("next", at=0, env=_PLAIN)),
        ),
    ),
)

_LONG = "reading?kinds=document&directions=forward"
_SHORT = f"{_LONG}&short=1"
_IN2 = Miniature(
    "in2",
    ("in2",),
    (
        Arm(
            "in2",
            "in2",
            f"{_LONG}&short=0.2",
            f"nursery:{_LONG}&positions=ends&short=0.5",
            watch=(_SHORT,),
            settings={"acquire.sampling.max_tokens": 8, "evaluate.sampling.max_tokens": 8, "evaluate.tasks": 1000}
            | {"evaluate_every": 40},
            quick={"steps": 10, "evaluate.tasks": 300},
        ),
    ),
    (
        Claim("before training, accuracy sags in the middle of long documents", Measured("in2", "sag", 0)),
        Claim(
            "training on answers at any place takes from the sag",
            Minus(Measured("in2", "sag", 0), Measured("in2", "sag")),
        ),
        Claim(
            "after it the middle is not more than five points below the ends",
            Negative(Measured("in2", "sag")),
            above=-0.05,
        ),
        Claim(
            "in short documents no more than two points are lost",
            Minus(Measured("in2", env=_SHORT), Measured("in2", at=0, env=_SHORT)),
            above=-0.02,
        ),
    ),
)

_CLINIC = "consult?explain=false"
# So small that a birth takes seconds.
_DOCTOR = (
    f"nursery:{_CLINIC}&plan.hidden_size=64&plan.intermediate_size=128&plan.positions=256"
    "&plan.practise_steps=40&plan.settle_steps=60"
)
_AMIE_QUICK = {"acquire.sample.groups": 256, "steps": 2, "evaluate.tasks": 200}
_NO_CRITIC = {"acquire.trials": 0, "acquire.sample.attempts": 3}
_AMIE = Miniature(
    "amie",
    ("amie",),
    (
        Arm("amie", "amie", _CLINIC, _DOCTOR, quick=_AMIE_QUICK),
        # At least as many consultations, all of them without a critic.
        Arm("alone", "amie", _CLINIC, _DOCTOR, settings=_NO_CRITIC, quick=_AMIE_QUICK),
    ),
    (
        Claim("simulated dialogues with inner critic and outer loop beat the start", gain("amie")),
        Claim(
            "the outer loop with the critic ends above the outer loop alone", Minus(Measured("amie"), Measured("alone"))
        ),
    ),
)

MINIATURES = (_WEAK_TO_STRONG, _NEXT, _IN2, _AMIE)
