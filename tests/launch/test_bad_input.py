"""What a user can mend: exit code 2, one line that names field, value and remedy, and nothing changed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from launch_helpers import (
    LION,
    OWN_CONFIG,
    REPORT,
    RUN,
    SMALL,
    SMOKE,
    TRIALS,
    Ended,
    Finished,
    assert_usage_error,
    environment,
    query,
    report,
    rows,
    run,
)

from isozyme.launch.run import main

Command = Callable[..., Ended]

FILES = {
    "syntax.py": "def experiment(:\n",
    "raises.py": "def experiment():\n    raise ZeroDivisionError('nothing to divide\\nby')\n",
    "importing.py": "import no_such_module_of_mine\n",
    "returns.py": "def experiment():\n    return {'seed': 1}\n",
    "empty.py": "",
    "private.py": "def _hidden():\n    pass\n\ndef needs(x):\n    pass\n\ndef good():\n    pass\n",
    "text.txt": "experiment\n",
}
PROGRAM = "def train(w, g, v1, v2, lr):\n    u = arctanh2(g)\n    return u, v1, v2\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with config files that are wrong."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """`run.py` called in this process, to be quick; a few real processes follow below."""
    handler = signal.getsignal(signal.SIGTERM)
    modules = set(sys.modules)

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    yield call
    signal.signal(signal.SIGTERM, handler)
    for name in set(sys.modules) - modules:
        if name.startswith("isozyme_config_"):
            del sys.modules[name]


def _content(folder: Path) -> dict[str, bytes]:
    """Files of a folder; SQLite's readers may make an empty -wal and an index of it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if not path.name.endswith(("-wal", "-shm", ".lock"))
    }


_SMOKE_CASES: dict[str, tuple[list[str], list[str]]] = {
    "unknown override path": (
        ["--config.search.populationsize=3"],
        ["--config.search.populationsize=3", "no such field", "search.population_size"],
    ),
    "unknown index": (
        ["--config.evaluator.tasks[1].steps=3"],
        ["--config.evaluator.tasks[1].steps=3", "no such field", "evaluator.tasks[0].steps"],
    ),
    "override without a value": (["--config.seed"], ["--config.seed", "--config.PATH=VALUE"]),
    "text for a number": (["--config.search.population_size=many"], ["--config.search.population_size=many", "int"]),
    "fraction for a count": (["--config.budget.trials=1.5"], ["--config.budget.trials=1.5", "int"]),
    "truth value for a count": (["--config.seed=True"], ["--config.seed=True", "int"]),
    "number for a truth value": (["--config.evaluator.download=3"], ["--config.evaluator.download=3", "bool"]),
    "nothing for a list": (["--config.evaluator.tasks=None"], ["--config.evaluator.tasks=None", "cannot be None"]),
    "number for an object": (["--config.space=3"], ["--config.space=3", "has no method"]),
    "negative budget": (["--config.budget.trials=-5"], ["--config.budget.trials=-5", "min=1"]),
    "no budget": (["--config.budget.trials=0"], ["--config.budget.trials=0", "min=1"]),
    "negative seed": (["--config.seed=-1"], ["--config.seed=-1", "min=0"]),
    "no lag": (["--config.lag=0"], ["--config.lag=0", "min=1"]),
    "share above one": (["--config.hurdle.quantile=1.5"], ["--config.hurdle.quantile=1.5", "max=1.0"]),
    "none of the choices": (
        ["--config.evaluator.path=guess"],
        ["--config.evaluator.path=guess", "interpreter", "compiled"],
    ),
    "unknown network size": (
        ["--config.evaluator.tasks[0].network=cnn"],
        ["--config.evaluator.tasks[0].network=cnn", "hidden", "channels"],
    ),
    "start that is no name": (["--config.space.start=adam"], ["--config.space.start=adam", "adamw", "lion"]),
    "start outside the space": (
        [f"--config.space.start={PROGRAM}"],
        ["--config.space.start=", "arctanh2 is not a function of the space", "arctanh"],
    ),
    "unknown patch": (["--patch=chaeper?factor=2"], ["--patch=chaeper?factor=2", "cheaper"]),
    "patch with a wrong value": (["--patch=cheaper?factor=ten"], ["--patch=cheaper?factor=ten", "int"]),
    "patch with a value out of range": (["--patch=cheaper?factor=0"], ["--patch=cheaper?factor=0", "min=1"]),
    "patch with a wrong argument": (["--patch=cheaper?divisor=2"], ["--patch=cheaper?divisor=2", "factor"]),
    "patch without its argument": (["--patch=cheaper"], ["--patch=cheaper", "factor"]),
    "patch that fits nothing": (["--patch=random_search"] * 2, ["--patch=random_search", "leave it out"]),
    "unknown flag": (["--wrokers=3"], ["wrokers", "--help"]),
    "word that is no flag": (["fast"], ["fast", "--help"]),
    "negative workers": (["--workers=-1"], ["--workers=-1", "non-negative"]),
    "workers in words": (["--workers=two"], ["--workers=two", "--help"]),
    "address without a port": (["--workers=1", "--address=nonsense"], ["--address=nonsense", "HOST:PORT"]),
    "address with a wrong port": (
        ["--workers=1", "--address=localhost:99999"],
        ["--address=localhost:99999", "HOST:PORT"],
    ),
    "address with a port in words": (
        ["--workers=1", "--address=localhost:ray"],
        ["--address=localhost:ray", "HOST:PORT"],
    ),
    "address without workers": (["--address=localhost:6379"], ["--address=localhost:6379", "--workers"]),
    "unknown data set": (
        ["--config.evaluator.tasks[0].data=no_such_data"],
        ["no_such_data", "digits", "mnist_5k", "python_source"],
    ),
    "data set of the wrong kind": (
        ["--config.evaluator.tasks[0].data=python_source"],
        ["python_source", "mlp", "images"],
    ),
}


@pytest.mark.parametrize(("arguments", "words"), _SMOKE_CASES.values(), ids=_SMOKE_CASES)
def test_wrong_arguments(here: Path, command: Command, arguments: list[str], words: list[str]) -> None:
    """Nothing is made: neither the run folder nor anything else."""
    before = _content(here)
    ended = command(SMOKE, "--workers=0", "--workdir=run", *arguments)
    assert_usage_error(ended, words)
    assert ended.out == ""
    assert _content(here) == before


_CONFIG_CASES: dict[str, tuple[str, list[str]]] = {
    "missing": ("nix.py", ["--config=nix.py", "no such file", "launch/configs/lion.py"]),
    "missing with a variant": ("nix.py:smoke", ["--config=nix.py:smoke", "no such file", "launch/configs/lion.py"]),
    "a folder": (".", ["--config=.", "name a Python file"]),
    "not Python": ("text.txt", ["--config=text.txt", "not a Python file"]),
    "syntax error": ("syntax.py", ["--config=syntax.py", "SyntaxError", "line 1"]),
    "import error": ("importing.py", ["--config=importing.py", "no_such_module_of_mine"]),
    "experiment() raises": ("raises.py", ["--config=raises.py", "experiment()", "ZeroDivisionError: nothing to"]),
    "returns something else": ("returns.py", ["--config=returns.py", "experiment()", "dict", "Experiment"]),
    "no experiment()": ("empty.py", ["--config=empty.py", "experiment()", "none"]),
    "unknown variant": ("private.py:bad", ["--config=private.py:bad", "bad()", "good"]),
    "private variant": ("private.py:_hidden", ["_hidden()", "good"]),
    "variant of lion": (f"{LION}:smok", [f"{LION}:smok", "smok()", "experiment, laptop"]),
}


@pytest.mark.parametrize(("config", "words"), _CONFIG_CASES.values(), ids=_CONFIG_CASES)
def test_wrong_configs(here: Path, command: Command, config: str, words: list[str]) -> None:
    """A config file that is not there, or not one; the others' names are given."""
    before = _content(here)
    ended = command(f"--config={config}", "--workers=0", "--workdir=run")
    assert_usage_error(ended, words)
    assert ended.out == ""
    assert _content(here) == before


def test_no_config(here: Path, command: Command) -> None:
    """The one flag that has no default."""
    assert_usage_error(command("--workdir=run"), ["--config", "launch/configs/lion.py"])
    assert not (here / "run").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config=nix.py"],
        [SMOKE, "--config.evaluator.tasks[0].data=mnist", "--workers=2"],
        [SMOKE, f"--config.space.start={PROGRAM}"],
        [SMOKE, "--workdir=/proc/isozyme/run", "--workers=0"],
    ],
    ids=["config", "data", "program", "workdir"],
)
def test_wrong_arguments_in_a_process_of_their_own(tmp_path: Path, arguments: list[str]) -> None:
    """The exit code and the line are the same as in process, and libraries add no lines of theirs."""
    ended = run(*arguments, cwd=tmp_path)
    given = arguments[-2] if arguments[-1].startswith("--workers") else arguments[-1]
    value = given.partition("=")[2].splitlines()[0]
    assert_usage_error(ended, [value])
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_is_not_prepared(here: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TFDS name that was never fetched here: told before anything is fetched, with the way to fetch it."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(here / "data"))
    ended = command(SMOKE, "--config.evaluator.tasks[0].data=kmnist", "--workers=0", "--workdir=run")
    assert_usage_error(ended, ["kmnist", "not prepared", "download", "digits"])
    assert not (here / "run").exists()


@pytest.mark.parametrize("workdir", ["raises.py", "raises.py/run", "raises.py/a/run", "/proc/isozyme/run", "/proc/1"])
def test_a_workdir_that_cannot_be(here: Path, command: Command, workdir: str) -> None:
    """A file, a path below a file, and below /proc, where root cannot write either."""
    before = _content(here)
    ended = command(SMOKE, "--workers=0", f"--workdir={workdir}")
    assert_usage_error(ended, [f"--workdir={workdir}", "choose"])
    assert _content(here) == before


@pytest.mark.parametrize(
    ("mode", "below"), [(0o555, "run"), (0o555, "."), (0o000, "run"), (0o000, ".")], ids=["new", "own", "below", "shut"]
)
def test_a_workdir_without_permission(tmp_path: Path, mode: int, below: str) -> None:
    """A folder that may be read only, and one that may not even be entered."""
    obedient: list[str] = []
    if os.geteuid() == 0:  # Root obeys modes too without the capabilities to override them.
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv may write everywhere")
        obedient = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    (tmp_path / "own.py").write_text(OWN_CONFIG)
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    try:
        done = subprocess.run(
            [*obedient, sys.executable, str(RUN), f"--config={tmp_path / 'own.py'}", f"--workdir={folder / below}"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        folder.chmod(0o755)
    assert_usage_error(Ended(done.returncode, done.stdout, done.stderr), [f"--workdir={folder / below}", "choose"])
    assert list(folder.iterdir()) == []


def test_a_run_folder_that_may_only_be_read(copied: Callable[[str], Path]) -> None:
    """Another user's run: it can be reported, and not resumed."""
    obedient: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv may write everywhere")
        obedient = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    folder = copied("run")
    before = _content(folder)
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    resume = [str(RUN), *SMALL, "--workers=0", f"--workdir={folder}"]
    try:
        ended, told = (
            subprocess.run(
                [*obedient, sys.executable, *arguments], env=environment(), capture_output=True, text=True, timeout=60
            )
            for arguments in (resume, [str(REPORT), "trials", str(folder), "--jsonl"])
        )
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert_usage_error(Ended(ended.returncode, ended.stdout, ended.stderr), [f"--workdir={folder}", "choose"])
    assert (told.returncode, told.stderr) == (0, "")
    assert len(told.stdout.splitlines()) == TRIALS
    assert _content(folder) == before


def test_a_folder_that_is_no_run_folder(here: Path, command: Command) -> None:
    """Other people's files stay alone."""
    (here / "photos").mkdir()
    (here / "photos" / "cat.png").write_bytes(b"cat")
    ended = command(SMOKE, "--workers=0", "--workdir=photos")
    assert_usage_error(ended, ["--workdir=photos", "experiment.json", "choose an empty folder"])
    assert _content(here / "photos") == {"cat.png": b"cat"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("--config.seed=1", ["seed", "0", "1"]),
        ("--config.lag=4", ["lag", "8", "4"]),
        ("--config.evaluator.tasks[0].steps=77", ["evaluator.tasks[0].steps", "50", "77"]),
        ("--config.hurdle=None", ["hurdle"]),
        ("--config.search.tournament_size=3", ["search.tournament_size", "5", "3"]),
    ],
)
def test_a_workdir_of_another_experiment(
    copied: Callable[[str], Path], command: Command, change: str, words: list[str]
) -> None:
    """The first difference is named, old and new; the run folder is refused, not overwritten."""
    folder = copied("run")
    before = _content(folder)
    ended = command(*SMALL, "--workers=0", f"--workdir={folder}", change)
    assert_usage_error(ended, [str(folder), "another experiment", "choose another folder", *words])
    assert _content(folder) == before


def test_an_address_that_nobody_answers(here: Path, command: Command) -> None:
    """A closed port is told by a look at it, before Ray, which would go on trying."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ended = command(SMOKE, "--workdir=run", "--workers=1", f"--address=127.0.0.1:{port}")
    assert_usage_error(ended, [f"--address=127.0.0.1:{port}", "nobody answers", "start the cluster"])
    assert not (here / "run").exists()


def _a_cluster_runs() -> bool:
    names = {"gcs_server", "raylet"}
    return any(one.info["name"] in names for one in psutil.process_iter(["name"]))


def test_address_auto_without_a_cluster(tmp_path: Path) -> None:
    """Told before Ray is started."""
    if _a_cluster_runs() or os.environ.get("RAY_ADDRESS"):
        pytest.skip("a Ray cluster runs on this machine")
    ended = run(SMOKE, "--workdir=run", "--workers=1", "--address=auto", cwd=tmp_path, RAY_TMPDIR=str(tmp_path / "ray"))
    if _a_cluster_runs():
        pytest.skip("a Ray cluster was started on this machine meanwhile")
    assert_usage_error(ended, ["--address=auto", "no Ray cluster", "leave it out"])
    assert not (tmp_path / "run").exists()


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _replace(path: Path, old: bytes, new: bytes) -> None:
    """Overwrites the first row that holds `old`."""
    assert len(old) == len(new)
    offset = path.read_bytes().index(old)
    _overwrite(path, offset, new)


_DAMAGE: dict[str, Callable[[Path], None]] = {
    "header": lambda path: _overwrite(path, 0, b"not a data base"),
    "pages": lambda path: _overwrite(path, 4096, os.urandom(8192)),
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "candidate": lambda path: _replace(path, b"def train(w, g, v1, v2, lr)", b"def trial(w, g, v1, v2, lr)"),
    "metrics": lambda path: _replace(path, b'{"short_loss": ', b'{"short_loss"; '),
    "metrics of another type": lambda path: _replace(path, b'{"short_loss": ', b'["short_loss", '),
}


def _damage(folder: Path, kind: str) -> bytes:
    """Damages a journal, and returns its bytes."""
    path = folder / "trials.db"
    for name in ("trials.db-wal", "trials.db-shm"):
        (folder / name).unlink(missing_ok=True)
    _DAMAGE[kind](path)
    return path.read_bytes()


@pytest.mark.parametrize("kind", _DAMAGE)
def test_a_damaged_journal_is_told_and_left(copied: Callable[[str], Path], command: Command, kind: str) -> None:
    """Never silently repaired: byte for byte what it was."""
    folder = copied("run")
    damaged = _damage(folder, kind)
    before = _content(folder)
    ended = command(*SMALL, "--workers=0", f"--workdir={folder}")
    assert_usage_error(ended, [str(folder / "trials.db"), "damaged", "restore a copy"])
    assert (folder / "trials.db").read_bytes() == damaged
    assert _content(folder) == before


@pytest.mark.parametrize("kind", ["header", "pages", "metrics"])
def test_a_report_on_a_damaged_journal(copied: Callable[[str], Path], kind: str) -> None:
    """The same line from report.py."""
    folder = copied("run")
    damaged = _damage(folder, kind)
    ended = report("trials", str(folder), "--jsonl")
    assert ended.code == 2
    assert_usage_error(ended, [str(folder / "trials.db"), "damaged", "restore a copy"])
    assert (folder / "trials.db").read_bytes() == damaged


def test_metrics_that_are_no_json(copied: Callable[[str], Path], command: Command) -> None:
    """A database that can be opened may hold damage all the same."""
    folder = copied("run")
    ((metrics,),) = query(folder, "SELECT metrics FROM trials WHERE trial = 0")
    for name in ("trials.db-wal", "trials.db-shm"):
        (folder / name).unlink(missing_ok=True)
    path = folder / "trials.db"
    path.write_bytes(path.read_bytes().replace(metrics.encode(), b"z" * len(metrics)))
    damaged = path.read_bytes()
    ended = command(*SMALL, "--workers=0", f"--workdir={folder}")
    assert_usage_error(ended, [str(path), "damaged", "restore a copy"])
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"format": 2}',
        b'{"format": 1}',
        b'{"format": 1, "identity": 3, "objectives": 3, "commit": 3}',
        b'{"format": 1, "identity": {}, "objectives": [["sideways", "loss", 1.0]], "commit": null}',
    ],
    ids=[
        "empty",
        "cut off",
        "not text",
        "list",
        "null",
        "string",
        "bare",
        "format",
        "incomplete",
        "types",
        "objective",
    ],
)
def test_a_damaged_experiment_json(copied: Callable[[str], Path], command: Command, text: bytes) -> None:
    """run.py and report.py both say so in a line, and leave the folder alone."""
    folder = copied("run")
    (folder / "experiment.json").write_bytes(text)
    before = _content(folder)
    assert_usage_error(command(*SMALL, "--workers=0", f"--workdir={folder}"), [str(folder)])
    assert_usage_error(report("front", str(folder)), [str(folder), "experiment.json"])
    assert _content(folder) == before


def _code_in_json(marker: Path) -> list[object]:
    """Entries that pyglove 0.4.5's from_json turns into running code (design section 7)."""
    import base64
    import marshal
    import pickle

    class Opaque:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {marker}",)

    pickled = base64.b64encode(pickle.dumps(Opaque())).decode()
    code = compile(f"def f(): open({str(marker)!r}, 'w')", "f", "exec")
    return [
        {"_type": "function", "name": "os.system"},
        {"_type": "type", "name": f"{marker.stem}_module.Anything"},
        {"_type": "opaque", "value": pickled},
        {"_type": "pyglove.core.utils.json_conversion._OpaqueObject", "value": pickled},
        {
            "_type": "function",
            "name": "f",
            "code": base64.b64encode(marshal.dumps(code)).decode(),
            "source": f"open({str(marker)!r}, 'w')",
            "defaults": None,
        },
    ]


def test_the_hostile_entries_are_hostile(tmp_path: Path) -> None:
    """The test below means something: PyGlove alone executes the pickle."""
    import pyglove as pg

    marker = tmp_path / "executed"
    for entry in _code_in_json(marker):
        try:
            pg.from_json(entry)
        except Exception:
            continue
    assert marker.exists()


@pytest.mark.parametrize("index", range(5))
def test_a_hostile_run_folder_executes_nothing(
    copied: Callable[[str], Path], finished: Finished, tmp_path: Path, command: Command, index: int
) -> None:
    """A run folder from elsewhere is data: reading or resuming it runs nothing that it says."""
    folder, marker = copied("run"), tmp_path / "executed"
    (tmp_path / "executed_module.py").write_text(f"open({str(marker)!r}, 'w')\n")
    entry = _code_in_json(marker)[index]
    record = json.loads((folder / "experiment.json").read_text())
    for part in ("experiment", "identity"):
        record[part]["evaluator"] = entry
        record[part]["space"]["start"] = entry
    (folder / "experiment.json").write_text(json.dumps(record))
    before = _content(folder)
    assert_usage_error(command(*SMALL, "--workers=0", f"--workdir={folder}"), [str(folder), "another experiment"])
    assert _content(folder) == before
    if index == 2:
        ended = report("trials", str(folder), "--jsonl")
        assert ended.code == 0
        assert len(ended.out.splitlines()) == len(rows(finished.folder))
    assert not marker.exists()
