"""Miniatures of methods that train nothing: refining, debugging, voting, debating, with and without an oracle."""

from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Measured, Minus

__all__ = ["MINIATURES"]

# Dialogues are long and many-voiced: smaller steps, and born before every turn of them is at hand.
_PLAN = "plan.batch=32&plan.played=0.6"
_ENV, _CARELESS, _CAREFUL = "arithmetic", f"nursery:correct?{_PLAN}", f"nursery:correct?checks=1.0&{_PLAN}"
# Enough that a few points are more than chance: sums are many, and each is answered several times.
_MANY = {"evaluate.tasks": 1000, "evaluate.attempts": 4, "acquire.sample.groups": 16}
_QUICK = {"evaluate.tasks": 300, "evaluate.attempts": 2}


def _of(name: str) -> str:
    """Return how the score of a way of answering is called."""
    return f"held-out accuracy, {name}"


# Newborn policies know one further round.
_REFINE = _MANY | {"evaluate.arms.0.how.rounds": 1, "acquire.how.rounds": 1}
_SELF_REFINE = Miniature(
    "self-refine",
    ("self-refine",),
    (
        Arm("careful", "self-refine", _ENV, _CAREFUL, settings=_REFINE, quick=_QUICK),
        Arm("careless", "self-refine", _ENV, _CARELESS, settings=_REFINE, quick=_QUICK),
    ),
    (
        Claim("a policy that judges its own answers well makes them better", Measured("careful", "gain")),
        Claim(
            "one that judges them no better than it answers gains less than three points",
            Minus(Measured("careless", "round 0"), Measured("careless", "round 1")),
            above=-0.03,
        ),
        Claim(
            "judging well gains more than judging badly",
            Minus(Measured("careful", "gain"), Measured("careless", "gain")),
        ),
    ),
)

_DEBUG = {f"evaluate.arms.{arm}.how.rounds": 1 for arm in range(3)}
_SELF_DEBUG = Miniature(
    "self-debug",
    ("self-debug",),
    (
        Arm(
            "debug",
            "self-debug",
            "synthesis",
            "nursery:debug",
            settings=_DEBUG | {"acquire.how.rounds": 1, "acquire.sample.groups": 16},
            quick={"evaluate.tasks": 150},
        ),
    ),
    (
        Claim("what failed when it was run makes a program better", Measured("debug", "gain")),
        Claim(
            "being told what failed is above being asked for another program",
            Minus(Measured("debug"), Measured("debug", measure=_of("again"))),
        ),
    ),
)

_SELF_CONSISTENCY = Miniature(
    "self-consistency",
    ("self-consistency",),
    (
        Arm(
            "vote",
            "self-consistency",
            _ENV,
            "nursery:ways",
            settings={
                "evaluate.tasks": 1000,
                "evaluate.arms.0.how.members": 16,
                "evaluate.sampling.temperature": 1.0,
                "acquire.how.members": 4,
            },
            quick={"evaluate.tasks": 200, "evaluate.arms.0.how.members": 8},
        ),
    ),
    (
        Claim(
            "the answer that most of several replies reach is above the greedy one",
            Minus(Measured("vote"), Measured("vote", at=0)),
        ),
        Claim("and above a single sampled one", Minus(Measured("vote"), Measured("vote", "majority@1"))),
    ),
)

_ONE_ROUND = {f"evaluate.arms.{arm}.how.rounds": 1 for arm in range(4)}
_SELF_CORRECT_AUDIT = Miniature(
    "self-correct-audit",
    ("self-correct-audit",),
    (
        Arm(
            "audit",
            "self-correct-audit",
            _ENV,
            _CARELESS,
            settings=_MANY | _ONE_ROUND | {"acquire.how.rounds": 1, "evaluate.arms.4.how.members": 6},
            quick=_QUICK,
        ),
    ),
    (
        Claim(
            "without an oracle, reviewing one's own answers gains less than three points",
            Minus(Measured("audit", "round 0"), Measured("audit", "round 1")),
            above=-0.03,
        ),
        Claim(
            "with an oracle that stops when the answer is right it gains",
            Measured("audit", "gain", measure=_of("oracle stops")),
        ),
        Claim(
            "an oracle that says what is wrong gains more than one that only stops",
            Minus(
                Measured("audit", "gain", measure=_of("oracle tells")),
                Measured("audit", "gain", measure=_of("oracle stops")),
            ),
        ),
        Claim(
            "a vote of as many replies is above a debate",
            Minus(Measured("audit", measure=_of("vote")), Measured("audit", measure=_of("debate"))),
        ),
    ),
)

MINIATURES = (_SELF_REFINE, _SELF_DEBUG, _SELF_CONSISTENCY, _SELF_CORRECT_AUDIT)
