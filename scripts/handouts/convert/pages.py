"""The pages of an edition: the map, the chapters, how to use them, and the book that is printed."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert.filters.markdown_mistune import markdown2html_mistune

TEMPLATE = Path(__file__).parent.parent / "template"
COURSE = {
    "title": "Polling Lab",
    "file": "polling-lab",
    "about": "A large video is uploaded, and the server needs time. How does the client learn that it is done, and "
    "what does the asking cost? A course on polling, long polling and server-sent events, in TypeScript.",
}
EDITIONS = {"student": "Student edition", "instructor": "Instructor edition"}


class Pages:
    def __init__(self, order: dict, edition: str, chapters: list[dict]):
        self.chapters = [described(chapter) for chapter in chapters]
        self.templates = Environment(
            loader=FileSystemLoader(TEMPLATE), undefined=StrictUndefined, trim_blocks=True, autoescape=False
        )
        self.templates.globals.update(
            course=COURSE,
            edition={"title": EDITIONS[edition]},
            student=edition == "student",
            chapters=self.chapters,
            style=(TEMPLATE / "style.css").read_text("utf-8"),
            script=(TEMPLATE / "page.js").read_text("utf-8"),
            **order["about"],
            pdf=order["pdf"],
        )

    def write(self, folder: Path) -> None:
        self._write(folder / "index.html", "index")
        self._write(folder / "how-to-use.html", "how-to-use")
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


def inline(markdown: str) -> str:
    return re.sub(r"^<p>|</p>$", "", markdown2html_mistune(markdown).strip())


def within(page: str) -> str:
    """Links from page to page as links within the book."""
    return re.sub(r'href="([\w-]+)\.html(?:#([^"]+))?"', lambda link: f'href="#{link[2] or link[1]}"', page)
