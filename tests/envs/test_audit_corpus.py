from collections import Counter

import pytest
from palaestra.envs.audit.case import Aim, Case
from palaestra.envs.audit.corpora import CORPORA, PlayedWorld, corpus, golden_worlds
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status

ATTACKS = {
    Aim.ESCAPE: 30,
    Aim.EXHAUST: 40,
    Aim.FORGE: 60,
    Aim.SURVIVE: 15,
    Aim.SECRETS: 20,
    Aim.NETWORK: 12,
    Aim.KILL: 15,
    Aim.TAMPER: 20,
}


def counts(name: str) -> Counter[Aim]:
    return Counter(case.aim for case in corpus(name))


@pytest.mark.parametrize("name", CORPORA)
def test_names_differ_and_every_case_has_a_task_of_its_own(name: str) -> None:
    cases = corpus(name)
    assert len({case.name for case in cases}) == len(cases)
    assert len({(case.task.fingerprint, case.reply) for case in cases}) == len(cases)


def test_there_is_enough_of_everything() -> None:
    code = counts("code")
    assert all(code[aim] >= least for aim, least in ATTACKS.items()), code
    assert code[Aim.HONEST] >= 60
    pairs = counts("math")
    assert pairs[Aim.EQUAL] >= 80
    assert pairs[Aim.NEAR_MISS] >= 90
    assert counts("extraction")[Aim.HOSTILE] >= 80


def test_every_format_is_attacked_and_served() -> None:
    formats = {(case.format, bool(case.accept)) for case in corpus("code")}
    assert formats == {(name, accept) for name in ("humaneval", "mbpp", "stdio", "calls") for accept in (True, False)}
    assert {case.format for case in corpus("math")} == {"answer"}


def test_no_attack_is_paid_in_full() -> None:
    assert all(case.most < 1 for case in corpus("code") if case.accept is False)


def test_no_attack_gives_its_expected_value_away() -> None:
    """A case whose test expects a secret would be no test of secrecy if the secret stood in the program."""
    secret = [case for case in corpus("code") if "@TOKEN@" in str(case.task.reference)]
    assert len(secret) > 10
    assert not [case.name for case in secret if "@TOKEN@" in case.reply]


def test_a_name_that_is_no_file_name_is_refused() -> None:
    with pytest.raises(UsageError, match="a-z"):
        Case("../x", Aim.FORGE, Task("t", "p", 1), "reply")


def test_an_unknown_corpus_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="'code'"):
        corpus("cod")


def test_worlds_accept_their_own_solutions_and_no_known_mistake() -> None:
    worlds = golden_worlds()
    assert "palaestra/Arithmetic-v0" in worlds
    judge, cases = worlds["palaestra/Arithmetic-v0"]
    assert isinstance(judge, PlayedWorld)
    assert {case.accept for case in cases} == {True, False}
    for case in cases[:20]:
        assert (judge(case.task, case.reply).status is Status.CORRECT) is case.accept
