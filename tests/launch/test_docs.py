"""Every block of code and every command in README and docs/ is run, or checked as far as a test can.

* Python runs as it stands, each block by itself, beside the files that its page defines.
* Shell blocks of a page that defines files run as they stand, in order, in the folder of these files.
* Elsewhere `run.py` is given everything but the run itself: flags, config, patches and overrides; `report.py` is run on
  a small run; `make` says what it would do. Benchmarks take minutes to hours: script and flags have to be there.
* What is left is named below, with the reason.
"""

import ast
import importlib
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from launch_helpers import REPORT, environment, jsonl, launch
from pages import PAGES, ROOT, blocks, commands, name, prose, write_files

from isozyme.launch import config_file
from isozyme.launch.run import _parse

FRAGMENTS = {
    "docs/funnel.md": "an Experiment with an ellipsis in place of what is not talked about",
    "docs/stores.md": "needs a PostgreSQL server; tests/hashing/test_stores.py starts one",
}
NOT_RUN = {
    "pip": "installs; the tests run in what it has installed",
    "ray": "makes tokens and starts machines; tests/launch/test_cluster_file.py reads the cluster's file",
    "unshare": "needs rights that containers lack; test_cluster_launch.py does the same where it can",
    "tensorboard": "serves until it is stopped; make newcomer opens it",
}
PLACEHOLDERS = ("my_config.py", "toy.py")  # Configs that a page leaves to the reader, or shows without a title.
GUIDED = [page for page in PAGES if any(block.title for block in blocks(page))]
PYTHON = [page for page in PAGES if any(b.language == "python" and not b.title for b in blocks(page))]
_SAID = {
    tuple(word.removeprefix(".venv/bin/") for word in words): name(page)  # Each once, whoever says it.
    for page in reversed(PAGES)
    if page not in GUIDED
    for words in commands(page)
}
COMMANDS = [pytest.param(words, id=f"{page}: {' '.join(words)}") for words, page in _SAID.items()]
SECONDS = 240


@pytest.mark.parametrize("page", PYTHON, ids=name)
def test_python_runs(page, tmp_path):
    """Blocks without a title; of a fragment the syntax is checked, and that what it imports is there."""
    write_files(page, tmp_path)
    for block in blocks(page):
        if block.language != "python" or block.title:
            continue
        text = block.text
        if name(page) in FRAGMENTS:
            tree = ast.parse(text)
            text = "\n".join(ast.unparse(line) for line in tree.body if isinstance(line, ast.Import | ast.ImportFrom))
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"


@pytest.mark.ray
@pytest.mark.parametrize("page", GUIDED, ids=name)
def test_pages_that_define_files_run_as_they_stand(page, tmp_path):
    write_files(page, tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    text = "".join(block.text for block in blocks(page) if block.language == "sh")
    done = subprocess.run(
        ["sh", "-ex"],
        input=text,
        cwd=tmp_path,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "winner: trial" in done.stdout
    assert "to mend" not in done.stdout


def check_run(words, folder, run_folder):
    """Everything but the run."""
    del folder, run_folder
    words = [f"{ROOT}/launch/configs/lion.py:smoke" if word in PLACEHOLDERS else word for word in words]
    words = [f"{ROOT}/{word}" if word.startswith("launch/") else word for word in words]
    options = _parse(words)
    assert options is not None
    config_file.load(options.config, options.patches, options.overrides)


def check_report(words, folder, run_folder):
    """The command itself, on another run."""
    names = {"RUN": str(run_folder), "COMMAND": "show"}
    if "KEY" in words:
        names["KEY"] = jsonl("equivalents", run_folder)[0]["key"]
    changed = []
    for word in words:
        if word.startswith("runs/"):
            word = names["RUN"]
        elif re.match(r"--(to|chart)=", word):
            word = f"{word.partition('=')[0]}={folder / Path(word).name}"
        changed.append(str(int(word) % 50) if word.isdigit() else names.get(word, word))
    ended = launch(REPORT, *changed, cwd=folder)
    assert ended.code == 0, ended.err


def check_benchmark(script, words):
    """Script and flags are there."""
    text = (ROOT / script).read_text()
    for flag in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert f'"{flag}"' in text or flag == "--quick", f"{script} has no flag {flag}"


@pytest.mark.parametrize("words", COMMANDS)
def test_commands(words, tmp_path, finished):
    program, *rest = itertools.takewhile(lambda word: word not in (">", "|", "&"), words)
    if program in NOT_RUN:
        return
    if program == "make":
        done = subprocess.run(["make", "-n", *rest], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
    elif program == "cat":
        for word in rest:
            assert (finished.folder / word.removeprefix("runs/demo/")).is_file(), word
    elif program == "python" and rest[0] in ("launch/run.py", "launch/report.py", "launch/exam.py"):
        check = check_report if "report" in rest[0] else check_run
        check(rest[1:], tmp_path, finished.folder)
    elif program == "python" and rest[0].startswith("benchmarks/"):
        check_benchmark(rest[0], rest[1:])
    elif program == "python" and rest[0] == "-m":
        assert (ROOT / f"{rest[1].removeprefix('isozyme.').replace('.', '/')}.py").is_file()
    else:
        pytest.fail("there is no way to check this command; add one")


def test_exceptions_are_still_needed():
    """No reason is left for what no page says any more."""
    programs = {words[0].removeprefix(".venv/bin/") for page in PAGES for words in commands(page)}
    assert set(NOT_RUN) <= programs
    assert {name(page) for page in PYTHON} >= set(FRAGMENTS)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_names_lead_somewhere(page):
    """Links, files of this repository, and names that can be imported."""
    text = prose(page)
    for target in re.findall(r"\]\(([^):#]+)[^):]*\)", text):
        assert (page.parent / target).exists(), target
    rooms = "benchmarks|docs|evaluators|hashing|launch|search|spaces|tests"
    for path in re.findall(rf"`((?:{rooms})/[\w/]*\w\.(?:py|md|yaml|json|npz))\b", text):
        assert (ROOT / path).exists(), path
    for dotted in re.findall(r"`(isozyme(?:\.[A-Za-z_]\w*)+)[`(]", text):
        resolve(dotted)


def resolve(dotted):
    """Imports as far as there are modules, then looks up attributes."""
    parts, found = dotted.split("."), None
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            found = getattr(found, attribute)
        return
    raise AssertionError(f"{dotted} cannot be imported")


def test_the_example_is_as_short_as_the_guide_says():
    """Space, evaluator and config in under 60 lines of code."""
    (block,) = [block for block in blocks(ROOT / "docs" / "define_a_space.md") if block.title]
    assert sum(bool(line.strip()) for line in block.text.splitlines()) < 60


@pytest.mark.nightly
def test_the_reference_is_made(tmp_path):
    """`make docs`: names that pages talk about are in it, with what their docstrings say."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    rooms = re.search(r"^REFERENCE := (.*)$", makefile, re.MULTILINE)
    assert rooms is not None
    modules = [f"isozyme.{module}" for module in rooms[1].split()]
    command = [sys.executable, "-m", "pdoc", "--docformat", "google", "--output-directory", str(tmp_path), *modules]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    for module in modules:
        assert (tmp_path / f"{module.replace('.', '/')}.html").is_file(), module
    assert "Lists what a space does wrong" in (tmp_path / "isozyme" / "spaces" / "exam.html").read_text()
