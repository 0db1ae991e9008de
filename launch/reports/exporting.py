"""A candidate of a run as something usable, as its space exports it."""

from collections.abc import Sequence
from pathlib import Path

from isozyme.launch import workdir
from isozyme.launch.errors import UsageError
from isozyme.launch.outputs import artifacts_of
from isozyme.launch.reading import RunReader
from isozyme.launch.reports.printing import escaped, say
from isozyme.launch.reports.restoring import space_of
from isozyme.spaces.protocol import InvalidCandidate


def export(
    reader: RunReader,
    trial: int,
    to: Path,
    config: str | None,
    patches: Sequence[str],
    overrides: Sequence[tuple[str, str]],
) -> None:
    """Writes the files of a trial's candidate.

    Args:
      reader: of the run.
      trial: its number.
      to: a folder that is empty or not there yet.
      config, patches, overrides: see `restoring.space_of`.

    Raises:
      UsageError: there is no such trial, its candidate is invalid, or the folder cannot be written.
    """
    card = reader.card(trial)
    space = space_of(reader, config, patches, overrides)
    try:
        candidate = space.from_source(card.trial.candidate)
    except InvalidCandidate as error:
        raise UsageError(f"trial {trial}: its text is no candidate of the space: {escaped(str(error))}") from error
    reason = space.validate(candidate)
    if reason is not None:
        raise UsageError(f"trial {trial}: its candidate is invalid ({escaped(reason)}); choose one with a score")
    try:
        to.mkdir(parents=True, exist_ok=True)
        if any(to.iterdir()):
            raise UsageError(f"--to={to}: holds files already; choose another folder")
        for name, content in {**artifacts_of(reader.folder, card.trial), **space.export(candidate)}.items():
            workdir.write(to / name, content)
            say(escaped(str(to / name)))
    except OSError as error:
        raise UsageError(f"--to={to}: cannot be written: {error.strerror}; choose another folder") from error
