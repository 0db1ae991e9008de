"""The tab *Pareto* in a real TensorBoard: what its routes answer, and what a real browser shows of it."""

import contextlib
import json
import shutil
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import browser
import pytest
from browser import PLUGIN, Tab
from launch_helpers import OWN_CONFIG, TRIALS, Finished, one_line, query, run

from isozyme.evaluators.protocol import Status
from isozyme.search.journal.journal import Journal
from isozyme.search.objectives import Maximize, Minimize
from isozyme.search.progress.pareto import ParetoArchive
from isozyme.search.protocol import Effort, Keys, Proposal, Trial

OBJECTIVES = [Minimize("loss", 1.0), Minimize("live_length", 30.0), Minimize("state_bytes", 12.0)]
MARKUP = (
    """<img src=x onerror="top.hacked=window.hacked=1">"'&</pre></script><script>top.hacked=window.hacked=1</script>"""
)
HOSTILE = """<b>"x"&'y'"""  # Names a folder, so it has no slash.
FIRST = 12  # trials of the growing run before it grows


def _trial(number: int, loss: float | None, length: float = 3.0, **other: Any) -> Trial:
    metrics = {} if loss is None else {"loss": loss, "live_length": length, "state_bytes": 4.0}
    status = other.pop("status", Status.CRASHED if loss is None else Status.OK)
    values: dict[str, Any] = {
        "proposal": Proposal(f"candidate {number}"),
        "reason": None if status is Status.OK else "it failed",
        "keys": Keys(f"{number:016x}", f"{number:016x}"),
        "finished": 1e9 + number,
        "effort": Effort(attempts=1),
        "stages": (metrics,),
        "stage_seconds": (0.1,),
    }
    return Trial(number=number, status=status, metrics=metrics, **(values | other))


def _write_run(folder: Path, trials: Sequence[Trial], arrived: int | None = None) -> None:
    folder.mkdir()
    record = {
        "format": 1,
        "identity": {"search": {"_type": "isozyme.RegularizedEvolution"}},
        "seed": 0,
        "objectives": [["minimize", o.metric, o.reference] for o in OBJECTIVES],
        "commit": None,
    }
    (folder / "experiment.json").write_text(json.dumps(record))
    with contextlib.closing(Journal.open(folder)) as journal:
        journal.add(trials, str, arrived)


def _hostile() -> list[Trial]:
    effort = Effort(attempts=1, worker=MARKUP)
    first = Proposal(MARKUP, operator=MARKUP, note=MARKUP)
    changed = replace(first, candidate=f"{MARKUP}\n-- changed", parents=(0,))
    parent = _trial(0, 0.5, proposal=first, effort=effort)
    child = _trial(1, 0.4, proposal=changed, effort=effort)
    child.metrics[MARKUP] = 1.0
    return [parent, child, _trial(2, None, proposal=first, reason=MARKUP, effort=effort)]


@pytest.fixture(scope="module")
def logs(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log folder: a real run, a real control, one that will grow, one full of markup, and one that is damaged."""
    folder = tmp_path_factory.mktemp("pareto") / "logs"
    folder.mkdir()
    shutil.copytree(finished.folder, folder / "lion")
    config = folder.parent / "own.py"
    config.write_text(OWN_CONFIG)
    ended = run(f"--config={config}", "--patch=random_search", "--workers=0", f"--workdir={folder / 'own' / 'random'}")
    assert ended.code == 0, ended.err
    _write_run(folder / "growing", [_trial(n, 1.0 / (n + 1), 3.0 + n % 5) for n in range(FIRST)])
    _write_run(folder / HOSTILE, _hostile())
    finished_in = [_trial(n, loss) for n, loss in [(3, 0.5), (0, 0.7), (2, 0.2), (1, 0.3)]]
    _write_run(folder / "own" / "asynchronous", finished_in, arrived=0)
    _write_run(folder / "own" / "torn", [_trial(0, 1.0)])
    (folder / "own" / "torn" / "trials.db").write_bytes(b"SQLite format 3" + bytes(5000))
    _write_run(folder / "own" / "failing", [_trial(n, None, reason=f"gave up after {n} s") for n in range(3)])
    (folder / "damaged").mkdir()
    (folder / "damaged" / "experiment.json").write_text("{")
    (folder / "damaged" / "trials.db").write_text("")
    return folder


@pytest.fixture(scope="module")
def server(logs: Path) -> Iterator[str]:
    """A real TensorBoard over it; skips where the installed isozyme has no tab."""
    if (reason := browser.missing_plugin()) is not None:
        pytest.skip(reason)
    with browser.tensorboard(logs, logs.parent / "tensorboard.log") as address:
        yield address


def _archive(folder: Path, time: int, objectives: Sequence[Any]) -> ParetoArchive:
    """The front of the first `time` trials, from the journal."""
    archive = ParetoArchive(objectives)
    with contextlib.closing(Journal.read(folder)) as journal:
        for trial in journal.trials(str):
            if trial.number < time:
                archive.add(trial)
    return archive


def _front(folder: Path, time: int, objectives: Sequence[Any]) -> list[int]:
    return sorted(trial.number for trial in _archive(folder, time, objectives).trials)


def test_tensorboard_lists_the_tab(server: str) -> None:
    """It is found by its entry point and active, since there are run folders."""
    listed = json.loads(browser.fetch(f"{server}/data/plugins_listing"))[PLUGIN]
    assert listed["enabled"]
    assert listed["tab_name"] == "Pareto"


def test_runs_are_listed_by_what_they_are(server: str) -> None:
    """Random search is the control; what cannot be read says why, and hides no other run."""
    runs = {found["name"]: found for found in browser.ask(server, "runs")["runs"]}
    assert set(runs) == {
        "lion",
        "own/random",
        "own/asynchronous",
        "own/torn",
        "own/failing",
        "growing",
        HOSTILE,
        "damaged",
    }
    assert {name for name, found in runs.items() if found.get("control")} == {"own/random"}
    assert runs["lion"]["search"] == "RegularizedEvolution"
    assert [o["metric"] for o in runs["lion"]["objectives"]] == [o.metric for o in OBJECTIVES]
    assert "experiment.json is damaged" in runs["damaged"]["error"]


def test_points_are_those_of_the_journal(server: str, logs: Path) -> None:
    """Every trial once, with status and metrics; null where it has none of that name."""
    answer = browser.ask(server, "points", run="lion", metric=["loss", "live_length"])
    rows = query(logs / "lion", "SELECT trial, status, metrics FROM trials ORDER BY trial")
    assert len(rows) == answer["total"] == TRIALS
    found = zip(
        answer["trial"],
        [answer["statuses"][i] for i in answer["status"]],
        answer["metrics"]["loss"],
        answer["metrics"]["live_length"],
        strict=True,
    )
    expected = [(n, status, json.loads(m).get("loss"), json.loads(m).get("live_length")) for n, status, m in rows]
    assert sorted(found) == expected
    assert any(loss is None for _, _, loss, _ in expected)
    more = browser.ask(server, "points", run="lion", metric="loss", since=90, edition=answer["edition"])
    assert more["trial"] == answer["trial"][90:]
    assert browser.ask(server, "points", run="lion", since=90, edition="of another server")["since"] == 0


@pytest.mark.parametrize("objectives", [OBJECTIVES[:2], OBJECTIVES, [Maximize("accuracy", 0.0), OBJECTIVES[1]]])
def test_the_history_of_the_front_is_that_of_the_journal(server: str, logs: Path, objectives: list[Any]) -> None:
    """At every trial, over two or three metrics, in either direction."""
    names = [o.metric for o in objectives]
    directions = ["maximize" if o.sign < 0 else "minimize" for o in objectives]
    answer = browser.ask(server, "front", run="lion", metric=names, direction=directions)
    stays = list(zip(answer["trial"], answer["entered"], answer["left"], strict=True))
    for time in range(0, TRIALS + 1, 5):
        shown = [n for n, entered, left in stays if entered < time and (left is None or left >= time)]
        assert sorted(shown) == _front(logs / "lion", time, objectives)


def test_an_asynchronous_run_goes_by_arrival(server: str) -> None:
    """Trials were fed back in another order than that of their numbers; the slider counts them as they came."""
    answer = browser.ask(server, "front", run="own/asynchronous", metric=["loss"], direction=["minimize"])
    assert list(zip(answer["trial"], answer["entered"], answer["left"], strict=True)) == [(3, 0, 2), (2, 2, None)]
    points = browser.ask(server, "points", run="own/asynchronous")
    assert dict(zip(points["trial"], points["order"], strict=True)) == {3: 0, 0: 1, 2: 2, 1: 3}


@pytest.mark.parametrize(
    ("route", "code", "told"),
    [
        ("points", 400, "run"),
        ("points?run=nowhere", 400, "run=nowhere"),
        ("points?run=../../etc", 400, "run=../../etc"),
        ("points?run=lion&since=-1", 400, "since=-1"),
        ("points?run=lion&metric=beauty", 400, "metric=beauty"),
        ("front?run=lion&metric=loss", 400, "direction="),
        ("front?run=lion&metric=loss&direction=up", 400, "direction=up"),
        ("card?run=lion&trial=99999", 400, "99999"),
        ("card?run=lion&trial=ten", 400, "trial=ten"),
        ("hypervolume?run=damaged", 400, "damaged"),
        ("points?run=own/torn", 500, "own/torn/trials.db: damaged"),
    ],
)
def test_a_bad_question_is_answered_in_one_line(server: str, route: str, code: int, told: str) -> None:
    """It names what is wrong."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        browser.fetch(f"{server}/data/plugin/{PLUGIN}/{route}")
    with caught.value as answer:
        assert answer.code == code
        assert told in one_line(answer.read().decode())


@pytest.mark.parametrize("path", ["static/plugin.py", "static/../plugin.py", "static/%2e%2e/plugin.py", "static/"])
def test_nothing_else_is_served(server: str, path: str) -> None:
    """Files have one route each; no address names another one."""
    assert b"export async function render" in browser.fetch(f"{server}/data/plugin/{PLUGIN}/static/index.js")
    with pytest.raises(urllib.error.HTTPError) as caught:
        browser.fetch(f"{server}/data/plugin/{PLUGIN}/{path}")
    with caught.value as answer:
        assert answer.code == 404


def test_reading_changes_no_run(server: str, logs: Path) -> None:
    """All questions are asked; the journal's bytes stay."""
    before = (logs / "lion" / "trials.db").read_bytes()
    for route, more in {"points": {}, "hypervolume": {}, "card": {"trial": 3}}.items():
        browser.ask(server, route, run="lion", **more)
    assert (logs / "lion" / "trials.db").read_bytes() == before


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    """One Chromium for all tests."""
    if (reason := browser.missing()) is not None:
        pytest.skip(reason)
    with browser.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def opened(driver: Any, server: str) -> Tab:
    """TensorBoard, open at the tab."""
    found = Tab(driver, server)
    found.open()
    return found


@pytest.fixture
def tab(opened: Tab) -> Tab:
    """The tab as it begins."""
    opened.script("window.parent.document.body.classList.remove('dark-mode')")
    opened.reload()
    return opened


@pytest.fixture
def only(tab: Tab) -> Callable[[str], None]:
    """Has the tab show one run only."""

    def choose(name: str) -> None:
        tab.script(
            "for (const box of document.querySelectorAll('.runs input'))"
            "  if (box.checked !== (box.dataset.key === arguments[0])) box.click()",
            name,
        )
        tab.wait(lambda: [run["name"] for run in tab.state()["runs"]] == [name])
        tab.settle()

    return choose


def test_the_tab_shows_the_points_of_the_journal(tab: Tab, only: Callable[[str], None], logs: Path) -> None:
    """Inside TensorBoard: values, counts, front and hypervolume."""
    only("lion")
    rows = query(logs / "lion", "SELECT trial, status, metrics FROM trials ORDER BY trial")
    points = {p["trial"]: p for p in tab.script("return isozymePareto.points('lion')")}
    assert set(points) == {number for number, *_ in rows}
    for number, status, text in rows:
        point, metrics = points[number], json.loads(text)
        assert point["status"] == status
        assert (point["x"], point["y"]) == (metrics.get("live_length"), metrics.get("loss"))
    seen = tab.run("lion")
    ok = sum(status == "ok" for _, status, _ in rows)
    assert seen["drawn"]["scored"] + seen["drawn"]["outside"] == ok
    assert sum(seen["failures"].values()) == TRIALS - ok > 0
    assert seen["front"] == _front(logs / "lion", TRIALS, OBJECTIVES[:2])
    assert seen["hypervolume"] == pytest.approx(_archive(logs / "lion", TRIALS, OBJECTIVES).hypervolume())
    tab.picture("one_run")


def test_a_click_opens_the_card(tab: Tab, only: Callable[[str], None], logs: Path) -> None:
    """With the source as it is in the journal, and the difference from its parent."""
    only("lion")
    number = next(n for n in tab.run("lion")["front"] if n > 0)
    tab.click_trial("lion", number)
    tab.wait(lambda: tab.state()["card"])
    opened = tab.state()["card"]["trial"]
    ((source, metrics),) = query(logs / "lion", f"SELECT candidate, metrics FROM trials WHERE trial = {opened}")
    assert tab.find(".card pre").get_attribute("textContent") == source
    front = {n: json.loads(m) for n, m in query(logs / "lion", "SELECT trial, metrics FROM trials")}
    assert [json.loads(metrics)[m] for m in ("loss", "live_length")] == [
        front[number][m] for m in ("loss", "live_length")
    ]
    assert f"report.py export {logs / 'lion'} {opened}" in tab.find(".card .command").text
    tab.picture("card")


def test_keys_walk_along_the_front_and_open_the_card(tab: Tab, only: Callable[[str], None], logs: Path) -> None:
    """From the left to the right end, told to screen readers; Escape brings the focus back."""
    from selenium.webdriver.common.keys import Keys

    only("lion")
    front = tab.run("lion")["front"]
    lengths = {
        n: json.loads(m)["live_length"]
        for n, m in query(logs / "lion", "SELECT trial, metrics FROM trials")
        if n in front
    }
    tab.script("document.querySelector('.stage').focus()")
    walked = []
    for key in [Keys.HOME, *[Keys.ARROW_RIGHT] * (len(front) - 1)]:
        tab.press(key)
        tab.settle()
        walked.append(tab.state()["selected"]["trial"])
        assert f"trial {walked[-1]} of lion" in tab.find("[aria-live=polite]").get_attribute("textContent")
    assert walked == sorted(front, key=lengths.__getitem__)
    tab.press(Keys.ENTER)
    tab.wait(lambda: tab.state()["card"] == {"run": "lion", "trial": walked[-1]})
    assert tab.script("return document.activeElement.id") == "card-title"
    tab.press(Keys.ESCAPE)
    tab.wait(lambda: tab.state()["card"] is None)
    assert tab.script("return document.activeElement.className").startswith("stage")


def test_the_slider_shows_the_front_as_it_was(tab: Tab, only: Callable[[str], None], logs: Path) -> None:
    """Moved by keys; the drawn front is the one counted again from the journal."""
    from selenium.webdriver.common.keys import Keys

    only("lion")
    tab.script("document.getElementById('time').focus()")
    seen = set()
    for key, times in [(Keys.HOME, 1), (Keys.PAGE_UP, 1), (Keys.PAGE_UP, 3), (Keys.ARROW_LEFT, 1), (Keys.END, 1)]:
        tab.press(*[key] * times)
        tab.settle()
        time = tab.state()["time"] or TRIALS
        drawn = tab.run("lion")
        assert drawn["front"] == _front(logs / "lion", time, OBJECTIVES[:2])
        assert drawn["drawn"]["trials"] == time
        seen.add(time)
    assert 1 in seen
    assert TRIALS in seen
    assert len(seen) == 5


def test_a_third_metric_is_part_of_the_front(tab: Tab, only: Callable[[str], None], logs: Path) -> None:
    """It is shown by colour; with it gone, the front is that of two metrics again."""
    only("lion")
    for metric, objectives in [("state_bytes", OBJECTIVES), ("", OBJECTIVES[:2])]:
        _choose(tab, "z-metric", metric)
        tab.wait(lambda: (tab.state()["axes"]["z"] or {"metric": ""})["metric"] == metric)  # noqa: B023
        tab.settle()
        assert tab.run("lion")["front"] == _front(logs / "lion", TRIALS, objectives)


def test_a_direction_can_be_turned(tab: Tab, only: Callable[[str], None], logs: Path) -> None:
    """Any metric can be an axis, and more of it be better."""
    only("lion")
    _choose(tab, "y-metric", "accuracy")
    _choose(tab, "y-sign", "-1")
    tab.settle()
    assert tab.run("lion")["front"] == _front(logs / "lion", TRIALS, [Maximize("accuracy", 0.0), OBJECTIVES[1]])


def _choose(tab: Tab, key: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(tab.find(f"[data-key={key}]")).select_by_value(value)
    tab.settle()


def test_a_dragged_box_is_looked_at_closely(tab: Tab, only: Callable[[str], None]) -> None:
    """What is outside is counted; a key shows everything again."""
    from selenium.webdriver import ActionChains

    only("lion")
    before = tab.run("lion")["drawn"]
    stage = tab.find(".stage")
    ActionChains(tab.driver).drag_and_drop_by_offset(stage, 150, -120).perform()
    tab.wait(lambda: tab.state()["view"])
    tab.settle()
    closer = tab.run("lion")["drawn"]
    assert closer["scored"] < before["scored"]
    assert closer["scored"] + closer["outside"] == before["scored"] + before["outside"]
    tab.press("0")
    tab.wait(lambda: tab.state()["view"] is None)


def test_new_trials_arrive_while_the_tab_is_open(tab: Tab, only: Callable[[str], None], logs: Path) -> None:
    """Appended by another process than TensorBoard's, with a gap that is filled later."""
    only("growing")
    assert tab.run("growing")["loaded"] == FIRST
    with contextlib.closing(Journal.open(logs / "growing")) as journal:
        journal.add([_trial(FIRST + 1, 1e-4, 2.0)], str)
        tab.wait(lambda: tab.run("growing")["loaded"] == FIRST + 1)
        tab.settle()
        assert tab.run("growing")["front"] == [FIRST + 1]
        journal.add([_trial(FIRST, 1e-5, 4.0), _trial(FIRST + 2, None)], str)
    tab.wait(lambda: tab.run("growing")["loaded"] == FIRST + 3)
    tab.settle()
    assert tab.run("growing")["front"] == [FIRST, FIRST + 1]
    assert tab.run("growing")["failures"] == {"crashed: it failed": 1}


def test_markup_in_a_run_does_nothing(tab: Tab, only: Callable[[str], None]) -> None:
    """In names of runs and metrics, sources, reasons, operators, notes and workers: all of it is text."""
    only(HOSTILE)
    tab.script("document.querySelector('.reason.whole input').click()")
    tab.settle()
    assert tab.run(HOSTILE)["drawn"]["strip"] == 1
    tab.script("document.querySelector('.front .link').click()")
    tab.wait(lambda: tab.state()["card"])
    assert tab.state()["card"]["trial"] == 1
    texts = tab.script(
        "return [...document.querySelectorAll('.card pre, .card dd, .card th')].map(one => one.textContent)"
    )
    assert f"{MARKUP}\n-- changed" in texts
    assert texts.count(MARKUP) == 4  # operator, note, worker, and a metric
    assert MARKUP in tab.script("return [...document.querySelectorAll('.failures .name')].map(one => one.textContent)")
    assert HOSTILE in tab.script("return [...document.querySelectorAll('.runs .name')].map(one => one.textContent)")
    tab.click_trial(HOSTILE, 0)
    assert tab.script("return document.querySelectorAll('img, iframe, b, .tab script').length") == 0
    assert tab.script("return [typeof window.hacked, typeof window.top.hacked]") == ["undefined", "undefined"]
    tab.picture("markup")


def test_a_run_that_only_fails_is_shown(tab: Tab, only: Callable[[str], None]) -> None:
    """Reasons that differ in a number are one; what has no place in the picture is in the strip below it."""
    only("own/failing")
    seen = tab.run("own/failing")
    assert seen["front"] == []
    assert seen["failures"] == {"crashed: gave up after": 3}
    assert seen["drawn"]["strip"] == 0
    tab.script("document.querySelector('.reason.whole input').click()")
    tab.settle()
    assert tab.run("own/failing")["drawn"]["strip"] == 3
    tab.click_trial("own/failing", 1)
    tab.wait(lambda: tab.state()["card"] == {"run": "own/failing", "trial": 1})


def test_what_is_wrong_is_told_in_words(tab: Tab, only: Callable[[str], None]) -> None:
    """A journal that cannot be read; and with another run, all is well again."""
    only("own/torn")
    assert "own/torn/trials.db: damaged" in tab.find("[role=alert]").text
    tab.picture("damaged")
    only("growing")
    assert tab.state()["problem"] == ""
    assert not tab.find("[role=alert]").is_displayed()


def test_nothing_is_asked_of_another_host(tab: Tab, server: str) -> None:
    """All that the tab and its frame load comes from TensorBoard, and no policy had to stop anything."""
    tab.driver.get_log("browser")  # What other tests provoked.
    tab.reload()
    tab.script("document.querySelector('.front .link').click()")
    tab.wait(lambda: tab.state()["card"])
    asked = [address for address in tab.requests() if PLUGIN in address]
    assert any("/points?" in address for address in asked)
    assert any("/card?" in address for address in asked)
    assert [address for address in asked if not address.startswith(f"{server}/")] == []
    loaded = tab.script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert [address for address in loaded if not address.startswith(f"{server}/data/plugin/{PLUGIN}/")] == []
    told = [entry["message"] for entry in tab.driver.get_log("browser") if PLUGIN in entry["message"]]
    assert [message for message in told if "WebGL" not in message] == []  # Which TensorBoard itself asks for.


def test_the_tab_follows_the_theme_of_tensorboard(tab: Tab) -> None:
    """Dark as soon as the page around is, on the canvas as well."""
    look = "const s = getComputedStyle(document.documentElement); return [s.backgroundColor, s.color]"
    pixels = "return document.querySelector('canvas').toDataURL()"
    light, drawn = tab.script(look), tab.script(pixels)
    assert tab.state()["theme"] == "light"
    tab.script("window.parent.document.body.classList.add('dark-mode')")
    tab.wait(lambda: tab.state()["theme"] == "dark")
    tab.wait(lambda: tab.script(pixels) != drawn)
    background, ink = tab.script(look)
    assert [background, ink] != light
    assert _brightness(background) < 60 < 190 < _brightness(ink)
    tab.picture("dark")


def test_alone_the_tab_follows_the_system(tab: Tab) -> None:
    """As a notebook or a bookmark shows it, without TensorBoard's page around."""
    driver, before = tab.driver, tab.driver.current_window_handle
    driver.switch_to.new_window("tab")
    try:
        dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
        driver.get(f"{tab.address}/data/plugin_entry.html?name={PLUGIN}")
        tab.wait(lambda: tab.script("return Boolean(window.isozymePareto?.state().ready)"))
        assert tab.state()["theme"] == "dark"
        assert tab.state()["runs"]
    finally:
        driver.close()
        driver.switch_to.window(before)
        driver.switch_to.frame(driver.find_element("css selector", "iframe"))


def _brightness(colour: str) -> float:
    return sum(float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) / 3


def test_every_control_has_a_name(tab: Tab) -> None:
    """As the browser tells it to a screen reader; several runs are overlaid, and the control is marked."""
    controls = tab.finds("button:not([hidden]), input, select, [tabindex='0']")
    assert len(controls) > 10
    assert [one.get_attribute("outerHTML") for one in controls if one.is_displayed() and not one.accessible_name] == []
    assert len(tab.state()["runs"]) > 1
    (chart,) = tab.finds("[role=application]")
    assert chart.accessible_name == "Pareto front"
    assert all("at the end" in one.get_attribute("aria-label") for one in tab.finds("svg[role=img]"))


def test_a_control_is_drawn_as_one(tab: Tab, only: Callable[[str], None]) -> None:
    """A run by random search is known by what it is."""
    only("own/random")
    assert tab.run("own/random")["control"]
    assert tab.find(".badge").text == "control"
    assert tab.finds("path.line.control")
