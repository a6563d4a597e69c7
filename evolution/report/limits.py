"""What limits a run, in one line."""

from collections.abc import Mapping

from palaestra.evolution.report.words import whole_share
from palaestra.evolution.view import SHARE

__all__ = ["limits"]

_SHARES = ("sampling", "judging", "held", "learning", "waiting")


def limits(pace: Mapping[str, float]) -> str:
    """Return a step's pace as people read it; nothing when nothing is known.

    Args:
        pace: Figures of `palaestra.evolution.pace`.
    """
    parts = [f"{name} {whole_share(pace[SHARE + name])}" for name in _SHARES if pace.get(SHARE + name, 0.0) >= 0.005]
    if "lag/mean" in pace:
        parts.append(f"{pace['lag/mean']:.1f} versions behind (most {pace['lag/max']:.0f})")
        parts.append(f"{pace['queue']:.0f} groups ready")
        if pace["dropped"]:
            parts.append(f"{pace['dropped']:.0f} too old")
    return " · ".join(parts)
