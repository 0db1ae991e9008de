"""Modules that lie beside a config, on machines that see its folder and on others."""

import pickle
import subprocess
import sys

import pytest

from isozyme.search.executors import sources
from isozyme.search.executors.protocol import SetupFailed

FILES = {
    "my_config.py": """
        import pyglove as pg
        from my_space import SIZE
        from my_package.part import double

        @pg.members([("factor", pg.typing.Int())])
        class Scaled(pg.Object):
            def value(self):
                from my_package import late
                return double(SIZE) * self.factor + late.ONE
        """,
    "my_space.py": "SIZE = 10",
    "numpy.py": "raise ImportError('this file hides an installed module')",
    "my_package/__init__.py": "",
    "my_package/part.py": "def double(x):\n    return 2 * x",
    "my_package/late.py": "from .inner.deep import ONE",
    "my_package/inner/__init__.py": "",
    "my_package/inner/deep.py": "from pathlib import Path\nONE = int(Path(__file__).with_name('one.txt').read_text())",
    "my_package/inner/one.txt": "1",
    "no_package/module.py": "raise ImportError('no part of it')",
}
# Another process: what it is sent, then what it makes of it.
CODE = """
import pickle, sys
beside, content = pickle.load(sys.stdin.buffer)
beside.install()
beside.install()
import numpy
import pyglove as pg
scaled = pickle.loads(content)
print(scaled.value(), numpy.ones(1)[0], scaled.clone() == scaled, pg.from_json(scaled.to_json()) == scaled)
"""


@pytest.fixture
def config(tmp_path):
    """A config with modules beside it."""
    for name, text in FILES.items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.splitlines()
        path.write_text("\n".join(line.removeprefix(" " * 8) for line in lines))
    (tmp_path / "own" / "my_package" / "again").symlink_to(tmp_path / "own" / "my_package")
    return tmp_path / "own" / "my_config.py"


def sent(config):
    """What a worker gets: the sources, and a pickle of an object of a class that only the config defines."""
    code = f"""
import pickle, sys
from pathlib import Path
from isozyme.search.executors import sources
sys.path.append({str(config.parent)!r})
module = sources.load_module("isozyme_config_my_config", Path({str(config)!r}))
made = (sources.read_sources(Path({str(config)!r}), module.__name__), pickle.dumps(module.Scaled(3)))
sys.stdout.buffer.write(pickle.dumps(made))
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout


def received(message, cwd):
    """What another process makes of it."""
    done = subprocess.run([sys.executable, "-c", CODE], input=message, capture_output=True, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_where_the_folder_is_seen_modules_are_imported_from_it(config, tmp_path):
    """With the data beside them, late imports included; nothing hides an installed module."""
    assert received(sent(config), tmp_path) == "61 1.0 True True"


def test_elsewhere_they_are_imported_from_what_was_sent(config, tmp_path):
    """Nothing is written there. The data is not sent."""
    (config.parent / "my_package" / "inner" / "deep.py").write_text("ONE = 1")
    message = sent(config)
    config.parent.rename(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    assert received(message, tmp_path) == "61 1.0 True True"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_has_changed_is_not_imported_from(config, tmp_path):
    """A node that holds another version of the files evaluates with those of the run."""
    (config.parent / "my_package" / "inner" / "deep.py").write_text("ONE = 1")
    message = sent(config)
    (config.parent / "my_space.py").write_text("SIZE = 1000")
    assert received(message, tmp_path) == "61 1.0 True True"


def test_what_is_sent(config):
    """Modules and packages, as they are; no data, no folder that is no package, no link back to a folder above."""
    beside = pickle.loads(sent(config))[0]
    assert set(beside.files) == {name for name in FILES if name.endswith(".py")} - {"no_package/module.py"}
    assert beside.renamed == {"isozyme_config_my_config": "my_config.py"}


def test_too_much_beside_a_config_is_refused(config):
    """A config in a folder full of code would slow every worker down; in one line with the remedy."""
    with open(config.parent / "large.py", "wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(SetupFailed, match=r"own: its Python files are over 16 MB: give the config its own folder$"):
        sources.read_sources(config, "isozyme_config_my_config")
