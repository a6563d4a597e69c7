"""Run programs that nobody trusts: a pool of warm forked workers behind namespaces, Landlock, seccomp and limits."""

from palaestra.envs.sandbox.job import CallJob, Check, Ended, Job, Limits, Outcome, Raised, Returned, RunJob, ScriptJob
from palaestra.envs.sandbox.pool import Sandbox, shared_sandbox
from palaestra.envs.sandbox.session import Session, SessionEndedError

__all__ = [
    "CallJob",
    "Check",
    "Ended",
    "Job",
    "Limits",
    "Outcome",
    "Raised",
    "Returned",
    "RunJob",
    "Sandbox",
    "ScriptJob",
    "Session",
    "SessionEndedError",
    "shared_sandbox",
]
