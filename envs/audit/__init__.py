"""Attacks on judges, honest work they must accept, and what became of both."""

from palaestra.envs.audit.audit import audit
from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.findings import Finding, Findings, Kind

__all__ = ["Aim", "Case", "Finding", "Findings", "Kind", "audit"]
