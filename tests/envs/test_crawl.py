"""Crawlers: the known programs are right everywhere, stepping back prunes, and hostile XPath is bounded."""

import json
import time
from dataclasses import replace

import pytest
from palaestra.agents.alphabet import build_tokenizer, encode_dialogue
from palaestra.agents.crawler import CrawlerAgent
from palaestra.agents.rollout import Assignment, Rollout, play
from palaestra.agents.scripted import OracleAgent, RandomAgent
from palaestra.agents.specs import load_agent
from palaestra.envs import make
from palaestra.envs.audit.corpora import corpus
from palaestra.envs.contracts import check_environment
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.reading.crawl.environment import PAGE
from palaestra.envs.reading.crawl.generator import LEVELS, SHOWN, UNSEEN, build_site, name_site
from palaestra.envs.reading.crawl.judge import CrawlJudge, Executed, execution, read_reply, same_values
from palaestra.envs.reading.crawl.program import LONGEST_CHARS, Crawlers, TooLongError, refusal, shared_crawlers
from palaestra.envs.reading.crawl.shelf import Shelf, made_up, shared_shelf
from palaestra.envs.reading.crawl.site import Page, load_site, save_site
from palaestra.envs.reading.crawl.templates import TEMPLATES
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status

PAGES = """<html><body><div><p>Old <b>1</b></p></div>
<main id="m"><!-- note --><p class="a" onclick="x()">Price <b>  12
 50 </b></p><p>Size <b>7</b></p></main><script>var x = "12 50";</script></body></html>"""


def played(agent, spec):
    rollout = Rollout(agent, workers=4)
    tasks = rollout.env(spec).tasks
    return rollout.play([Assignment(task.id, spec, task, 1) for task in tasks])


@pytest.mark.parametrize("template", TEMPLATES)
def test_known_programs_are_right_on_every_page_and_pages_differ(template):
    for level in LEVELS:
        for seed in range(4):
            site = build_site(template, seed, level)
            pages = [*site.shown, *site.unseen]
            assert (len(site.shown), len(site.unseen)) == (SHOWN, UNSEEN)
            assert len({page.html for page in pages}) == len(pages)
            assert all(page.values for page in site.shown)
            ((*found,),) = shared_crawlers().run([site.program], [page.html for page in pages])
            assert all(same_values(one, page.values) for one, page in zip(found, pages, strict=True)), site.program
            assert name_site(template, seed, level) == (site.name, site.field)
            assert build_site(template, seed, level) == site


def test_some_pages_lack_the_field_and_some_hold_several_values():
    sites = [build_site(template, seed, 2) for template in TEMPLATES for seed in range(12)]
    counts = {len(page.values) for site in sites for page in site.unseen}
    assert counts == {0, 1, 2, 3}


def test_the_oracle_solves_everything_and_who_is_told_beats_who_is_not():
    spec = "crawl?size=24&seed=2"
    right = {name: sum(e.correct for e in played(agent, s)) for name, agent, s in (
        ("oracle", OracleAgent(), spec),
        ("told", CrawlerAgent(), spec),
        ("at once", CrawlerAgent(), f"{spec}&tries=1&seeds=1"),
        ("random", RandomAgent(), spec),
    )}  # fmt: skip
    assert right["oracle"] == 24
    assert right["told"] >= 16
    assert right["at once"] <= 4
    assert right["random"] <= 1


def test_stepping_back_goes_up_to_what_holds_the_value_and_no_further():
    crawlers = shared_crawlers()
    came = crawlers.step(PAGES, (), ("//main/p[2]/b",), ("12 50",), back=True)
    assert (came.found, came.right) == (("7",), False)
    assert came.kept == ("((//main/p[2]/b)/..)/..",)
    pruned = crawlers.show(PAGES, came.kept)
    assert pruned == '<main id="m"><p class="a">Price<b>12 50</b></p><p>Size<b>7</b></p></main>'
    again = crawlers.step(PAGES, came.kept, ("//p[1]/b",), ("12 50",), back=True)
    assert again == (("12 50",), True, ())
    assert crawlers.run([(*came.kept, "//p[1]/b")], [PAGES]) == [[("12 50",)]]
    # Two places: what holds both; a whole page prunes nothing; neither does a value that is nowhere.
    both = crawlers.step(PAGES, (), ("//main/p/b/text()",), ("12 50",), back=True)
    assert both.kept == ("//main/p/b/text()",)
    assert crawlers.show(PAGES, both.kept) == pruned
    assert crawlers.step(PAGES, (), ("//b",), ("12 50",), back=True).kept == ()
    assert crawlers.step(PAGES, (), ("//main/p[2]/b",), ("13",), back=True).kept == ()
    assert crawlers.step(PAGES, (), ("//main/p[2]/b",), ("12 50",), back=False).kept == ()


def test_the_world_prunes_and_takes_the_program_that_holds_on_most_pages():
    env = make("crawl?templates=definitions&size=12&tries=2&seeds=3")
    task = next(task for task in env.tasks if "/a" not in env.solution(task)[0])
    site = shared_shelf().site(task.reference)
    first, *_ = env.reset(options={"task": task})
    assert first.startswith(task.prompt)
    shown = first.partition(PAGE)[2]
    assert "<script" not in shown
    assert "<dl" in shown
    value = f"value: {site.shown[0].values[0]}"
    # The title is a wrong place; going up from there leads to the part that holds the value.
    observation, reward, over, _, info = env.step(f"{value}\nxpath: //h1")
    assert (reward, over, "verdict" in info) == (0.0, False, False)
    assert "Going back up" in observation
    assert len(observation.partition(PAGE)[2]) < len(shown)
    # In that part alone the XPath that was ambiguous is not.
    observation, *_ = env.step(f"{value}\nxpath: {site.program[1]}")
    assert "Now another page" in observation
    env.step("value: wrong\nxpath: //h1")
    observation, *_ = env.step("value: wrong\nxpath: //h1")
    env.step("value: wrong\nxpath: //h1")
    observation, reward, over, _, info = env.step("no program")
    assert (over, info["verdict"].status, reward) == (True, Status.CORRECT, 1.0), observation
    with pytest.raises(UsageError):
        env.step("xpath: //h1")


def test_replies_without_a_program_use_up_tries_and_pay_nothing():
    env = make("crawl?size=3&seeds=1&tries=2")
    env.reset(seed=0)
    observation, reward, over, _, info = env.step("I do not know.")
    assert (reward, over, info["verdict"].status) == (0.0, False, Status.UNPARSED)
    assert "xpath:" in observation
    observation, reward, over, _, info = env.step("xpath: document('x')")
    assert (reward, over, info["verdict"].status) == (0.0, True, Status.ILLEGAL)
    assert "no function document" in observation


def test_no_reply_is_told_the_right_values():
    env = make("crawl?size=5&templates=table&seeds=1&tries=3")
    for task in env.tasks:
        env.reset(options={"task": task})
        values = shared_shelf().site(task.reference).shown[0].values
        observation, *_ = env.step("value: no such thing\nxpath: //h1")
        assert not any(value in observation for value in values)


@pytest.mark.parametrize(
    ("found", "kind", "precision", "recall"),
    [
        ([("a", "b"), ("c",), ()], Executed.CORRECT, 1, 1),
        ([("b", "a", "a"), (" c ",), ()], Executed.CORRECT, 1, 1),
        ([("a",), ("c",), ()], Executed.PRECISION, 1, 2 / 3),
        ([("a", "b"), ("c", "d"), ("e",)], Executed.RECALL, 3 / 5, 1),
        ([("a", "x"), (), ()], Executed.ELSE, 1 / 2, 1 / 3),
        ([(), "no XPath", ()], Executed.UNEXECUTABLE, 0, 0),
        ([("x",), (), ("y",)], Executed.UNRELATED, 0, 0),
    ],
)
def test_the_ways_a_crawler_can_end(found, kind, precision, recall):
    pages = [Page("", ("a", "b")), Page("", ("c",)), Page("", ())]
    assert execution(found, pages) == (kind, pytest.approx(precision), pytest.approx(recall))


def test_part_of_the_reward_is_the_f1():
    task = make("crawl?size=1&templates=table").tasks[0]
    site = shared_shelf().site(task.reference)
    whole, part = f"xpath: {site.program[1]}", CrawlJudge("share")(task, f"xpath: {site.program[1]}")
    assert part.status is Status.PARTIAL
    assert 0 < part.reward < 1
    assert part.detail.startswith("recall: precision 0.")
    assert CrawlJudge()(task, whole).status is Status.WRONG
    assert CrawlJudge()(task, whole).reward == 0
    assert CrawlJudge()(task, "xpath: //*[").status is Status.CRASHED
    assert CrawlJudge()(Task("t", "p", {"site": 1}), whole).status is Status.BROKEN_TASK
    with pytest.raises(UnknownNameError):
        CrawlJudge("half")


def test_replies_are_read_by_their_lines():
    reply = 'I see it.\n- Value: 12\nvalue:\nxpath: `//a[b="c: d"]`\n  XPath : //b\nthe xpath: //c'
    assert read_reply(reply) == (("12",), ('//a[b="c: d"]', "//b"))


@pytest.mark.parametrize(
    "xpath",
    [
        "document('file:///etc/passwd')",
        "//a[fn:doc('x')]",
        "re:test('a','a')",
        "$x",
        "//*[" * 7 + "1" + "]" * 7,
        "//a" * LONGEST_CHARS,
        "//a\x00",
    ],
)
def test_what_is_no_plain_xpath_is_refused(xpath):
    assert refusal([xpath])


@pytest.mark.parametrize(
    "xpath",
    [
        "//a[not(contains(., 'doc('))]",
        "//p[1 and (2 or 3)]/following-sibling::*[position() < last()]",
        "//div[substring-before(@class, ' ') = \"$x\"]/ancestor::node()",
        "(//a | //b)[last()] ",
    ],
)
def test_plain_xpath_is_not_refused(xpath):
    assert refusal([xpath]) == ""
    assert refusal([])
    assert refusal(["//a"] * 13)


def test_what_takes_for_ever_is_stopped_and_the_next_is_served():
    crawlers = Crawlers(1, seconds=1.5)
    try:
        page = f"<html><body>{'<p><b>x</b></p>' * 800}</body></html>"
        crawlers.show(page)
        endless = "//*[//*[//*[//*[count(//*) < 0]]]]"
        assert refusal([endless]) == ""
        began = time.monotonic()
        with pytest.raises(TooLongError):
            crawlers.run([[endless]], [page])
        assert time.monotonic() - began < 30
        assert crawlers.run([["count(//p)"]], [page]) == [[("800",)]]
    finally:
        crawlers.close()


def test_pages_cannot_name_entities_files_or_addresses():
    bomb = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 9))
    page = (
        f'<!DOCTYPE html [<!ENTITY e0 "ha">{bomb}<!ENTITY f SYSTEM "file:///etc/passwd">]><html><p>&e8;&f;</p></html>'
    )
    ((found,),) = shared_crawlers().run([["//p"]], [page])
    assert "root:" not in str(found)
    assert len(str(found)) < 200
    deep = "<div>" * 30_000
    assert isinstance(shared_crawlers().run([["//div"]], [deep])[0][0], str | tuple)


def test_nothing_is_wrong_with_the_audit_of_the_judge():
    judge = CrawlJudge()
    for case in corpus("crawl"):
        verdict = judge(case.task, case.reply)
        assert (verdict.status is Status.CORRECT) is case.accept, (case, verdict)
        assert verdict.valid, (case, verdict)


def test_sites_of_ones_own_are_read_from_files(tmp_path):
    site = build_site("labels", 5, 2)
    save_site(site, tmp_path / "mine")
    assert load_site(tmp_path / "mine") == site
    env = make(f"crawl?path={tmp_path}&seeds=2")
    assert [task.id for task in env.tasks] == [f"{tmp_path.name}/mine"]
    assert play(env, OracleAgent(), seed=1).correct
    card = json.loads((tmp_path / "mine" / "site.json").read_text())
    for change in ({"field": None, "shown": []}, {"unseen": [{"file": "../x", "values": ["a"]}]}, {"unseen": []}):
        (tmp_path / "mine" / "site.json").write_text(json.dumps({**card, **change}))
        with pytest.raises(UsageError, match=r"site\.json"):
            make(f"crawl?path={tmp_path}")
    with pytest.raises(UsageError, match="holds no site"):
        make(f"crawl?path={tmp_path / 'mine' / 'none'}")


def test_a_site_of_ones_own_is_the_same_task_wherever_it_lies(tmp_path):
    for place in ("here", "there"):
        save_site(build_site("labels", 5, 2), tmp_path / place / "mine")
    (here,), (there,) = (make(f"crawl?path={tmp_path / place}").tasks for place in ("here", "there"))
    assert here.fingerprint == there.fingerprint
    save_site(replace(build_site("labels", 5, 2), field="Weight of the book"), tmp_path / "there" / "mine")
    (changed,) = make(f"crawl?path={tmp_path / 'there'}").tasks
    assert changed.fingerprint != here.fingerprint
    page = tmp_path / "there" / "mine" / "unseen-0.html"
    page.write_text(page.read_text() + "<p>more</p>")
    env = make(f"crawl?path={tmp_path / 'there'}")
    assert play(env, OracleAgent(), seed=1).correct
    with pytest.raises(UsageError, match="other pages than the task"):
        env.reset(options={"task": changed})


def test_sites_that_are_made_up_lie_in_files_that_go_again():
    shelf = Shelf()
    site = shelf.site(made_up("table", 9, 1))
    folder = shelf._folder
    assert (folder / "table-9-1" / "shown-0.html").read_text() == site.shown[0].html
    del shelf
    assert not folder.exists()


def test_arms_of_a_comparison_have_the_same_tasks():
    digests = {make(f"crawl?size=20{arm}").tasks.digest for arm in ("", "&back=false", "&tries=1&seeds=1")}
    assert len(digests) == 1
    assert make("crawl?size=20&seed=1").tasks.digest not in digests


def test_it_keeps_the_contract():
    for level in LEVELS:
        check_environment(make(f"crawl?size=12&level={level}&seeds=1"))


@pytest.mark.parametrize("settings", ["seeds=0", "seeds=6", "tries=0", "level=4", "chars=0"])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UsageError):
        make(f"crawl?{settings}")


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError):
        make("crawl?templates=tables")
    with pytest.raises(UnknownNameError):
        load_agent("scripted:crawlers")
    with pytest.raises(UsageError, match="Crawl-v0"):
        load_agent("scripted:crawler").enter(make("arithmetic"), make("arithmetic").tasks[0], 0)


def test_a_small_policy_can_be_born_to_plain_pages():
    env = make("crawl?level=1&templates=table,definitions,labels&tries=1&seeds=1&size=60")
    tokenizer = build_tokenizer(1024, words=env.words)
    slips = 0
    for task in env.tasks:
        observation, _ = env.reset(options={"task": task})
        (shown,) = env.demonstration(task)
        ids, spoken = encode_dialogue(tokenizer, [(observation, shown)])
        assert len(ids) < 200
        # What introduces a program, the program, and the end.
        assert sum(spoken) == 3
        assert env.step(shown)[1] == 1.0
        if (slip := env.slip(task)) is not None:
            slips += 1
            env.reset(options={"task": task})
            assert env.step(slip[0])[1] == 0.0
            assert sum(encode_dialogue(tokenizer, [(observation, slip[0])])[1]) == 3
    assert 20 < slips < 60
    assert make("crawl?level=2&size=5").words == ()
