"""The audit of our own judges: no false accept, no false reject, no effect outside, nothing left unjudged."""

import pytest
from palaestra.envs.audit.audit import audit
from palaestra.envs.audit.ours import Subject, subjects

SUBJECTS = [
    subject for name in ("code", "math", "extraction", "graph", "crawl", "gold") for subject in subjects((name,))
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=[subject.name for subject in SUBJECTS])
def test_nothing_is_found(subject: Subject) -> None:
    findings = audit(subject.judge, subject.cases, name=subject.name)
    assert findings.cases == len(subject.cases)
    assert [f"{f.kind}: {f.case}: expected {f.expected}, came {f.came}" for f in findings.found] == []
