"""Miniatures of what imitates: the policy's own right replies, those it was told, or those it agrees with itself on."""

from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature
from palaestra.evolution.reproduction.readings import Logged, Measured, Minus, OnlySolved

__all__ = ["MINIATURES", "gain"]

_ENV, _NEWBORN = "arithmetic", "nursery:arithmetic"
_WORKED = "arithmetic?worked=true"
# Few demonstrations, slowly: a start that has room above it.
_SHORT = {"acquire.tasks": 64, "acquire.pool": 64, "steps": 5, "update.learning_rate": 1e-4}


def gain(arm: str, since: int = 0, until: int = -1, what: str = "accuracy") -> Minus:
    """Return what an arm gained from one evaluation to another."""
    return Minus(Measured(arm, what, until), Measured(arm, what, since))


_SFT = Miniature(
    "sft",
    ("sft",),
    (Arm("sft", "sft", _ENV, _NEWBORN, settings={"evaluate_every": 20}, quick={"steps": 8}),),
    (Claim("imitating demonstrations raises held-out accuracy", gain("sft")),),
)

_RFT = Miniature(
    "rft",
    ("rft",),
    (
        Arm("sft", "sft", _ENV, _NEWBORN, settings=_SHORT),
        Arm("rft", "rft", _ENV, after="sft", quick={"acquire.groups": 300, "update.epochs": 2}),
    ),
    (Claim("a policy fine-tuned on its own right replies is above the fine-tuned one it came from", gain("rft")),),
)

_REST_ENV, _REST_QUICK = "synthesis?credit=share", {"acquire.fresh.groups": 150, "steps": 3, "evaluate.tasks": 200}
_CONSTANT = {"refine.0.thresholds": [1.0, 1.0, 1.0]}
_REST = Miniature(
    "rest",
    ("rest",),
    (
        Arm("rising", "rest", _REST_ENV, "nursery:synthesis", quick=_REST_QUICK),
        Arm("constant", "rest", _REST_ENV, "nursery:synthesis", settings=_CONSTANT, quick=_REST_QUICK),
    ),
    (
        Claim("growing and improving raises held-out accuracy", gain("rising")),
        Claim(
            "rising thresholds are above the highest one throughout", Minus(Measured("rising"), Measured("constant"))
        ),
    ),
)

_REST_EM = Miniature(
    "rest-em",
    ("rest-em",),
    (
        Arm("base", "rest-em", _ENV, _NEWBORN, quick={"acquire.groups": 100}),
        Arm(
            "last",
            "rest-em",
            _ENV,
            _NEWBORN,
            settings={"update.start_from": "last"},
            quick={"acquire.groups": 100},
        ),
    ),
    (
        Claim("rounds of sampling and imitating raise held-out accuracy", gain("base")),
        Claim("the third round gains less than the first", Minus(gain("base", 0, 1), gain("base", 2, 3))),
        Claim("training from the base is above going on from the last", Minus(Measured("base"), Measured("last"))),
    ),
)

_LMSI_QUICK = {"acquire.groups": 100, "evaluate.tasks": 200}
_LMSI = Miniature(
    "lmsi",
    ("lmsi",),
    (
        Arm("start", "rft", _ENV, _NEWBORN, settings={"acquire.groups": 200}),
        Arm("good", "lmsi", _ENV, after="start", quick=_LMSI_QUICK),
        Arm("bad", "lmsi", _ENV, _NEWBORN, quick=_LMSI_QUICK),
    ),
    (
        Claim("agreement adds to a policy that is mostly right", gain("good", what="pass@1")),
        Claim(
            "agreement takes from one whose commonest answer is wrong",
            Minus(Measured("bad", "pass@1", 0), Measured("bad", "pass@1")),
        ),
    ),
)

_CODE, _PROGRAMMER = "synthesis", "nursery:synthesis"
_CODET_QUICK = {"acquire.groups": 40, "evaluate.tasks": 100, "evaluate.attempts": 4}
_CODET = Miniature(
    "codet",
    ("codet",),
    (
        Arm("start", "rft", _CODE, _PROGRAMMER, settings={"acquire.groups": 150, "update.epochs": 1}),
        Arm("good", "codet", _CODE, after="start", settings={"evaluate.tasks": 300}, quick=_CODET_QUICK),
        Arm("bad", "codet", _CODE, _PROGRAMMER, settings={"evaluate.tasks": 300}, quick=_CODET_QUICK),
    ),
    (
        Claim(
            "of the programs that agree more are right than of all that were sampled",
            Minus(Logged("good", "update/refined_correct"), Logged("good", "correct")),
        ),
        Claim("agreement adds to a policy that is mostly right", gain("good", what="pass@1")),
        Claim(
            "agreement adds less to one that is not",
            Minus(gain("good", what="pass@1"), gain("bad", what="pass@1")),
        ),
    ),
)

_MATH_FT = Miniature(
    "math-ft",
    ("math-ft",),
    (Arm("math-ft", "math-ft", _ENV, _NEWBORN, quick={"acquire.groups": 200, "evaluate.tasks": 100}),),
    (
        Claim(
            "after the first round the majority of 16 attempts is above a single one",
            Minus(Measured("math-ft", "majority@16", 1), Measured("math-ft", "pass@1", 1)),
        ),
        Claim(
            "at the end it is, too",
            Minus(Measured("math-ft", "majority@16"), Measured("math-ft", "pass@1")),
        ),
        Claim(
            "weighed by the policy's own judgement the majority is not more than a point lower",
            Minus(Measured("math-ft", "reranked@16"), Measured("math-ft", "majority@16")),
            above=-0.01,
        ),
    ),
)

_STAR_SETTINGS: dict[str, object] = {
    "acquire.sample.groups": 1500,
    "acquire.sample.sampling.max_tokens": 32,
    "update.epochs": 4,
}
_STAR_QUICK = {"acquire.sample.groups": 500, "steps": 2, "evaluate.tasks": 200}


def _bootstrapped(name: str, more: dict[str, object]) -> Arm:
    return Arm(name, "star", _WORKED, f"nursery:{_WORKED}", settings=_STAR_SETTINGS | more, quick=_STAR_QUICK)


_STAR = Miniature(
    "star",
    ("star",),
    (_bootstrapped("star", {}), _bootstrapped("filtering", {"acquire.attempts": 0})),
    (
        Claim("rationalisation solves tasks that filtering alone never does", OnlySolved("star", "filtering")),
        Claim("rationalisation ends above filtering alone", Minus(Measured("star"), Measured("filtering"))),
    ),
)

# Rationalisation tries what failed once more. Filtering may, too, and samples: a second greedy try would be the first.
_TWICE: dict[str, object] = {
    "acquire.attempts": 0,
    "acquire.sample.attempts": 2,
    "acquire.sample.sampling.temperature": 1.0,
}
_STAR_TWICE = Miniature(
    "star-twice",
    ("star",),
    (_bootstrapped("star", {}), _bootstrapped("filtering twice", _TWICE)),
    (
        Claim(
            "rationalisation ends above filtering of at least as many attempts, sampled",
            Minus(Measured("star"), Measured("filtering twice")),
        ),
    ),
)

_SITES = "crawl?level=1&templates=table,definitions,labels&tries=1&seeds=1"
_AUTOCRAWLER = Miniature(
    "autocrawler",
    ("autocrawler",),
    (
        Arm(
            "autocrawler",
            "autocrawler",
            _SITES,
            f"nursery:{_SITES}&plan.hidden_size=64&plan.intermediate_size=256&plan.batch=32",
            settings={"acquire.sampling.max_tokens": 16, "evaluate.sampling.max_tokens": 16},
            quick={"acquire.groups": 100, "steps": 2},
        ),
    ),
    (Claim("imitating its own crawlers that worked on one page and one reply adds", gain("autocrawler")),),
)

MINIATURES = (_SFT, _RFT, _REST, _REST_EM, _LMSI, _CODET, _MATH_FT, _STAR, _STAR_TWICE, _AUTOCRAWLER)
