"""The plugin as TensorBoard loads it: its routes, and what they say when something is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug.wrappers import Request, Response

_STATIC = Path(__file__).parent / "static"
_KINDS = {".js": "text/javascript", ".css": "text/css"}
# Whatever is served from the disk: one route a file, so that no address can name another one.
_FILES = {f"/static/{file.name}": file for file in sorted(_STATIC.iterdir()) if file.suffix in _KINDS}


class ParetoPlugin(base_plugin.TBPlugin):
    """The tab *Pareto*: fronts of the runs below the log folder, which it only reads."""

    plugin_name = "isozyme_pareto"

    def __init__(self, context: base_plugin.TBContext) -> None:
        from isozyme.launch.pareto_tab.folders import Folders

        self._folders = Folders(Path(context.logdir).expanduser() if context.logdir else None)

    def is_active(self) -> bool:
        """Whether there is any run folder."""
        return bool(self._folders.names())

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Where the tab's script is. The tab follows running searches by itself."""
        return base_plugin.FrontendMetadata(
            es_module_path="/static/index.js", tab_name="Pareto", disable_reload=True, remove_dom=False
        )

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """Routes: the files of the page, and the five questions that it asks."""
        files = {
            route: _served(lambda _, file=file: (file.read_text(), _KINDS[file.suffix]))
            for route, file in _FILES.items()
        }
        questions = {
            "/runs": self._runs,
            "/points": self._points,
            "/front": self._front,
            "/hypervolume": self._hypervolume,
            "/card": self._card,
        }
        return files | {route: _served(_as_json(answer)) for route, answer in questions.items()}

    def _runs(self, request: Request) -> Any:
        del request
        return {"runs": self._folders.describe()}

    def _points(self, request: Request) -> Any:
        from isozyme.launch.pareto_tab import answers

        asked = request.args
        since = _number(request, "since") if "since" in asked else 0
        return answers.points(self._opened(request), asked.getlist("metric"), asked.get("edition", ""), since)

    def _front(self, request: Request) -> Any:
        from isozyme.launch.pareto_tab import answers

        asked = request.args
        return answers.front(self._opened(request), asked.getlist("metric"), asked.getlist("direction"))

    def _hypervolume(self, request: Request) -> Any:
        from isozyme.launch.pareto_tab import answers

        return answers.hypervolume(self._opened(request))

    def _card(self, request: Request) -> Any:
        from isozyme.launch.pareto_tab import answers

        return answers.card(self._opened(request), _number(request, "trial"))

    def _opened(self, request: Request) -> Any:
        return self._folders.open(_word(request, "run"))


def _word(request: Request, name: str) -> str:
    from isozyme.launch.errors import UsageError

    value = request.args.get(name)
    if not value:
        raise UsageError(f"{name}: is missing; add ?{name}=… to the address")
    return value


def _number(request: Request, name: str) -> int:
    from isozyme.launch.errors import UsageError

    text = _word(request, name)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UsageError(f"{name}={text}: is no whole number from 0 on; give a trial's number")
    return int(text)


def _as_json(answer: Callable[[Request], Any]) -> Callable[[Request], tuple[str, str]]:
    # TensorBoard's own writer of JSON walks through every value, which takes seconds for a large run.
    return lambda request: (json.dumps(answer(request), allow_nan=False, separators=(",", ":")), "application/json")


def _served(answer: Callable[[Request], tuple[str, str]]) -> Callable[..., Any]:
    """A WSGI application; what a user can mend is answered in one line: 400 for the query, 500 for the run folder."""

    @Request.application
    def application(request: Request) -> Response:
        from isozyme.launch.errors import UsageError
        from isozyme.search.journal.database import JournalError

        try:
            content, kind = answer(request)
        except UsageError as error:
            return http_util.Respond(request, str(error), "text/plain", code=400)
        except (JournalError, OSError) as error:
            return http_util.Respond(request, " ".join(str(error).split()), "text/plain", code=500)
        return http_util.Respond(request, content, kind)

    return application
