"""The backend 'isozyme': what is refused, and how errors reach the loop."""

import pyglove as pg
import pytest

from isozyme.search import NSGA2, JournalError, Maximize, RandomSearch, RegularizedEvolution
from isozyme.search.pyglove_bridge import generator
from isozyme.tests.search.pyglove_bridge.bridge_helpers import (
    EVOLUTION,
    TRIALS,
    journalled,
    poll,
    sample,
    score,
    search,
    template,
)
from isozyme.tests.toys import Passing


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The folder of a loop that was left after a few trials."""
    folder = tmp_path_factory.mktemp("begun") / "run"
    for value, feedback in sample(folder):
        feedback(score(value))
        if feedback.id == 3:
            break
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": generator(EVOLUTION, seed=4)}, "seed was 3, now 4"),
        ({"seed": 5}, "seed was 3, now 5"),
        ({"lag": 2}, "lag was 1, now 2"),
        ({"algorithm": generator(RegularizedEvolution(7, 2), seed=3)}, "algorithm.population_size was 6, now 7"),
        ({"algorithm": pg.geno.Random()}, "algorithm.class was"),
        ({"metrics_to_optimize": ["accuracy"]}, r"objectives\[0\]\[1\] was 'reward', now 'accuracy'"),
        ({"space": pg.Dict(x=pg.oneof([1, 2]))}, "space was"),
        ({"space": pg.Dict(template(), w=pg.oneof(["a", "c"]))}, r"space\[2\].literals\[1\] was \"'b'\", now \"'c'\""),
    ],
)
def test_a_folder_of_another_search_is_refused(change, message, begun):
    before = (begun / "trials.db").read_bytes()
    arguments = {"space": template(), "algorithm": generator(EVOLUTION, seed=3), **change}
    with pytest.raises(JournalError, match=f"belongs to another search .{message}.*choose another name$") as caught:
        next(pg.sample(num_examples=TRIALS, name=str(begun), backend="isozyme", **arguments))
    assert "\n" not in str(caught.value)
    assert (begun / "trials.db").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": None}, "name: the backend 'isozyme' keeps its journal in a folder"),
        ({"lag": 0}, "lag must be 1 or more"),
        ({"seed": -1}, "seed 0 or more"),
        ({"metrics_to_optimize": ["a", "b"]}, r"metrics_to_optimize: \['a', 'b'\] given; the algorithm has one"),
        ({"algorithm": generator(RandomSearch(), stages=2)}, "stages: 2 given"),
        (
            {"algorithm": generator(NSGA2(4), [Maximize("a", 0.0), Maximize("b", 0.0)])},
            r"metrics_to_optimize: \['reward'\] given, and the generator's objectives are \['a', 'b'\]",
        ),
        ({"space": pg.geno.space([pg.geno.custom("Words")])}, "Words is a decision of the user's own"),
    ],
)
def test_errors_are_one_line(options, message, tmp_path):
    """And leave nothing behind."""
    given = {"space": template(), "algorithm": generator(EVOLUTION), "name": str(tmp_path / "run"), **options}
    with pytest.raises(ValueError, match=message) as caught:
        next(pg.sample(backend="isozyme", **given))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_folders_of_others_are_refused(tmp_path):
    """A folder with other files, the run folder of a program, and one that is not there."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "notes.txt").write_text("mine")
    with pytest.raises(JournalError, match=r"holds other files and no trials\.db; choose an empty folder"):
        next(sample(tmp_path / "files"))
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["notes.txt"]
    search(tmp_path / "program", EVOLUTION, 3)
    with pytest.raises(JournalError, match="is the run folder of something else; choose another name"):
        next(sample(tmp_path / "program"))
    with pytest.raises(JournalError, match="no study of the backend 'isozyme'"):
        poll(tmp_path / "program")
    with pytest.raises(JournalError, match=r"no trials\.db here"):
        poll(tmp_path / "nothing")


class Broken(pg.Object):
    """Fails at its fourth proposal."""

    def start(self, space, objectives, stages=1):
        return Breaking(RandomSearch().start(space, objectives, stages))


class Breaking(Passing):
    def propose(self, number, rng):
        if number == 3:
            raise ArithmeticError("the fourth is too much")
        return super().propose(number, rng)


def test_errors_of_the_controller_surface_in_the_loop(tmp_path):
    """What was reported before is safe."""
    reported = []

    def run():
        for value, feedback in sample(tmp_path / "run", generator(Broken())):
            feedback(score(value))
            reported.append(feedback.id)

    with pytest.raises(ArithmeticError, match="the fourth is too much"):
        run()
    assert reported == [1, 2, 3]
    assert len(journalled(tmp_path / "run")) == 3
    with pytest.raises(JournalError, match="belongs to another search"):
        next(sample(tmp_path / "run"))
