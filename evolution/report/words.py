"""Figures as people read them."""

from math import isnan

from palaestra.evolution.evaluation.record import Estimate

__all__ = ["bounds", "duration", "interval", "share", "whole_share"]


def duration(seconds: float) -> str:
    """Return `m:ss`, with hours where there are any."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def share(value: float) -> str:
    """Return a share (0 to 1) in per cent; one that is not known is a dash."""
    return "–" if isnan(value) else f"{100 * value:.1f} %"


def whole_share(value: float) -> str:
    """Return a share (0 to 1) in whole per cent."""
    return f"{100 * value:.0f} %"


def bounds(estimate: Estimate) -> str:
    """Return the bounds of an interval in per cent, without the sign."""
    return "–" if isnan(estimate.low) else f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def interval(estimate: Estimate) -> str:
    """Return the bounds of a share's interval in per cent."""
    return f"{bounds(estimate)} %"
