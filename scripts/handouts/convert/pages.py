"""The pages of an edition: the map, the chapters, how to use them, and the book that is printed."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from chapter import picture_of
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from terms import Terms, inline, sorting

TEMPLATE = Path(__file__).parent.parent / "template"
COURSE = {
    "title": "Polling Lab",
    "file": "polling-lab",
    "about": "A large video is uploaded, and the server needs time. How does the client learn that it is done, and "
    "what does the asking cost? A course on polling, long polling and server-sent events, in TypeScript.",
}
EDITIONS = {"student": "Student edition", "instructor": "Instructor edition"}


SCRIPT = (TEMPLATE / "page.js").read_text("utf-8")
# A page runs its own script and the charts of its folder, compiles no text as code, and fetches nothing.
POLICY = "; ".join([
    "default-src 'none'",
    f"script-src 'self' 'sha256-{b64encode(sha256(SCRIPT.encode()).digest()).decode()}'",
    "style-src 'self' 'unsafe-inline'",
    "img-src data:",
    "font-src data:",
    "base-uri 'none'",
    "form-action 'none'",
])


class Pages:
    def __init__(self, order: dict, edition: str, chapters: list[dict], terms: Terms):
        self.chapters = [described(chapter) for chapter in chapters]
        self.templates = Environment(
            loader=FileSystemLoader(TEMPLATE), undefined=StrictUndefined, trim_blocks=True, autoescape=False
        )
        self.templates.globals.update(
            course=COURSE,
            edition={"title": EDITIONS[edition]},
            student=edition == "student",
            chapters=self.chapters,
            terms=[entry for entry in terms.glossary if any(entry["term"] in one["mentions"] for one in chapters)],
            index_entries=index_of(self.chapters),
            cover=cover_of(chapters),
            style=(TEMPLATE / "style.css").read_text("utf-8"),
            script=SCRIPT,
            policy=POLICY,
            **order["about"],
            pdf=order["pdf"],
        )

    def write(self, folder: Path) -> None:
        self._write(folder / "index.html", "index")
        self._write(folder / "how-to-use.html", "how-to-use")
        self._write(folder / "reference.html", "reference")
        around = [None, *self.chapters, None]
        for before, chapter, after in zip(around, self.chapters, around[2:], strict=False):
            file = folder / f"{chapter['name']}.html"
            self._write(file, "page", chapter=chapter, before=before, after=after)
        book = self.templates.get_template("book.html.j2").render()
        (folder / "book.html").write_text(within(book), "utf-8")

    def _write(self, file: Path, template: str, **values) -> None:
        file.write_text(self.templates.get_template(f"{template}.html.j2").render(**values), "utf-8")


def described(chapter: dict) -> dict:
    """A chapter with what the pages say of it."""
    number = f"{chapter['number']}  " if chapter["number"] else ""
    return {
        **chapter,
        "heading": f"{number}{chapter['title']}",
        "goals": [inline(goal) for goal in chapter["goals"]],
        "seconds": round(chapter["ranMs"] / 1000),
    }


def index_of(chapters: list[dict]) -> list[dict]:
    """Every term that the chapters name, with the places, in the order of the alphabet."""
    places: dict[str, list[dict]] = {}
    for chapter in chapters:
        for term, mentions in chapter["mentions"].items():
            explained = [mention for mention in mentions if mention["section"].get("title") not in ("Exercises", "Take away")]
            places.setdefault(term, []).extend({**mention, "chapter": chapter} for mention in explained or mentions[:1])
    return [{"term": inline(term), "places": places[term]} for term in sorted(places, key=sorting)]


def cover_of(chapters: list[dict]) -> dict | None:
    """The first figure of the course, as a picture for the cover."""
    figure = next((figure for chapter in chapters for figure in chapter["figures"]), None)
    return figure and {**figure, "picture": picture_of(figure["output"]["data"], figure["output"]["metadata"])}


def within(page: str) -> str:
    """Links from page to page as links within the book."""
    return re.sub(r'href="([\w-]+)\.html(?:#([^"]+))?"', lambda link: f'href="#{link[2] or link[1]}"', page)
