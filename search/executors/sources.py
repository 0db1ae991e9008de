"""Carries a user's own modules to workers: the config file and the Python files that lie beside it.

They travel as text and are imported on the other side under the names that they have here, as real modules. Pickling
their classes by value would do for plain classes, but PyGlove's registry of symbolic classes breaks when such a class
is delivered twice.
"""

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from isozyme.search.executors.protocol import SetupFailed

_LARGEST = 2**24  # bytes


@dataclass(frozen=True, slots=True)
class Sources:
    """Python files beside a config.

    Attributes:
      folder: where they were found.
      files: content of every file, by its path in the folder.
      renamed: paths of those that are modules of another name, such as the config, by that name.
    """

    folder: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def install(self) -> None:
        """Makes the files importable here and loads the renamed ones.

        Where the folder can be seen, on the same machine or through a shared file system, the files are imported from
        it and find the data that lies beside them. Elsewhere they are imported from this object. Either place comes
        last in the search for modules, so that no file hides an installed module.
        """
        if not self.files or all(name in sys.modules for name in self.renamed):
            return
        if self._seen_here():
            sys.path.append(self.folder)
            for name, relative in self.renamed.items():
                load_module(name, Path(self.folder, relative))
        else:
            sys.meta_path.append(_Carried(self))
            for name in self.renamed:
                importlib.import_module(name)

    def _seen_here(self) -> bool:
        """Tells whether the folder on this machine holds the same files."""
        try:
            return all(Path(self.folder, relative).read_bytes() == text for relative, text in self.files.items())
        except OSError:
            return False


class _Carried(MetaPathFinder, SourceLoader):
    """Finds and loads modules among files that were sent."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """See `importlib`."""
        relative = self._relative(fullname)
        if relative is None:
            return None
        return importlib.util.spec_from_file_location(fullname, self.get_filename(fullname), loader=self)

    def _relative(self, name: str) -> str | None:
        stem = name.replace(".", "/")
        places = (self._sources.renamed.get(name, ""), f"{stem}/__init__.py", f"{stem}.py")
        return next((place for place in places if place in self._sources.files), None)

    def get_filename(self, fullname: str) -> str:
        """See `importlib`: returns where the file is on the machine that sent it."""
        relative = self._relative(fullname)
        if relative is None:
            raise ImportError(fullname)
        return str(Path(self._sources.folder, relative))

    def get_data(self, path: str | bytes) -> bytes:
        """See `importlib`."""
        try:
            return self._sources.files[str(Path(str(path)).relative_to(self._sources.folder))]
        except (KeyError, ValueError):
            raise OSError(f"{path} was not sent") from None


def read_sources(config: Path, name: str) -> Sources:
    """Reads a config file, which is loaded as `name`, and the modules and packages beside it.

    Raises:
      SetupFailed: they are larger than 16 MB together.
    """
    folder = config.resolve().parent
    files: dict[str, bytes] = {}
    size = 0
    for path in _python_files(folder, [folder]):
        size += path.stat().st_size
        if size > _LARGEST:
            raise SetupFailed(
                f"{folder}: its Python files are over {_LARGEST >> 20} MB: give the config its own folder"
            )
        files[str(path.relative_to(folder))] = path.read_bytes()
    return Sources(str(folder), files, {name: config.name})


def _python_files(folder: Path, above: Sequence[Path]) -> list[Path]:
    """Lists the modules of a folder and of the packages in it; links to a folder above are not followed."""
    found = sorted(folder.glob("*.py"))
    for package in sorted(path.parent for path in folder.glob("*/__init__.py")):
        if package.resolve() not in above:
            found += _python_files(package, [*above, package.resolve()])
    return found


def load_module(name: str, path: Path) -> ModuleType:
    """Imports a file as the module `name`; passes on whatever it raises.

    Raises:
      ImportError: it is not a Python file.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
