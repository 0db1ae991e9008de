"""Examines what an experiment is made of: python launch/exam.py --config my_config.py

Space and evaluator sit the exams that isozyme's own sit, and so does the search if any of it is yours. Evaluations are
those of the config: where they take long, give --patch and --config.PATH=VALUE as to launch/run.py, for shorter ones.
Exit code 0: nothing to object to; 1: findings, a line each; 2: something to mend first.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0 passed, 1 findings, 2 something to mend (one line says what)."""
    try:
        from isozyme.launch.guard import guarded
    except ImportError as error:
        print(f"isozyme is not installed ({error}): pip install -e {Path(__file__).parent.parent}", file=sys.stderr)
        return 2
    return guarded(__file__, lambda: _main(arguments))


def _main(arguments: Sequence[str]) -> int:
    from absl import flags

    from isozyme.launch import override_flags
    from isozyme.launch.errors import UsageError

    values: Any = flags.FlagValues()
    flags.DEFINE_string("config", None, "Python file that defines experiment(), and :variant", flag_values=values)
    flags.DEFINE_multi_string("patch", [], "a rule to apply, as 'cheaper?factor=4'", flag_values=values)
    if any(a in ("-h", "-help", "--help", "--helpfull") for a in arguments):
        print(f"{__doc__}\n  --config.PATH=VALUE: overrides a value\n{values.get_help()}")
        return 0
    overrides, others = override_flags.split(arguments)
    try:
        rest = values(["exam.py", *others])
    except flags.Error as error:
        raise UsageError(f"{error}; see --help") from error
    if len(rest) > 1 or not values.config:
        raise UsageError(
            f"{' '.join(arguments) or 'nothing given'}: give --config FILE, maybe with :variant; see --help"
        )
    return _examine(values.config, values.patch, overrides)


def _examine(config: str, patches: Sequence[str], overrides: Sequence[tuple[str, str]]) -> int:
    """Loads the experiment as a run does, and prints what there is to say on each of its parts."""
    from isozyme.evaluators import process

    process.fix()  # Before anything imports jax.
    from isozyme.evaluators.protocol import DataUnavailable
    from isozyme.launch import config_file
    from isozyme.launch.errors import UsageError

    experiment = config_file.load(config, patches, overrides)
    try:
        experiment.prepare()
    except DataUnavailable as error:
        raise UsageError(str(error)) from error
    code = 0
    for part, findings in examinations(experiment):
        print(f"{part}: {'passes' if not findings else f'{len(findings)} to mend'}", flush=True)
        for finding in findings:
            print(f"  {finding}", flush=True)
        if findings:
            code = 1
            break  # What comes next would rest on it.
    return code


def examinations(experiment: Any) -> Iterator[tuple[str, list[str]]]:
    """Parts of an experiment with what is wrong with each; one is examined when it is asked for."""
    from isozyme.evaluators.exam import examine as examine_evaluator
    from isozyme.search.exam import examine as examine_algorithm
    from isozyme.search.protocol import Learning
    from isozyme.spaces.exam import examine as examine_space

    space, evaluator, search = experiment.space, experiment.evaluator, experiment.search
    metrics = [objective.metric for objective in experiment.objectives]
    parts: list[tuple[str, Any, Callable[[], list[str]]]] = [
        ("space", space, lambda: examine_space(space)),
        ("evaluator", evaluator, lambda: examine_evaluator(evaluator, space, metrics)),
    ]
    if not _ours(search) and not isinstance(search, Learning):  # What has to learn a space first is not examined.
        parts.append(("search", search, lambda: examine_algorithm(lambda: search.clone(deep=True))))
    for name, part, examine in parts:
        yield f"{name} {type(part).__name__}", _opaque(part) or examine()


def _types(part: Any) -> set[str]:
    """Names of all classes of which a part of an experiment is made."""
    import pyglove as pg

    return set(re.findall(r'"_type": "([^"]+)"', pg.to_json_str(part)))


def _ours(part: Any) -> bool:
    return all(name.startswith("isozyme.") for name in _types(part))


def _opaque(part: Any) -> list[str]:
    """What experiment.json can name by a digest alone."""
    if any(name.endswith("_OpaqueObject") for name in _types(part)):
        return [
            "experiment.json holds but a digest of its settings: derive its class from pg.Object to have them there"
        ]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
