"""The terms of the course: what the glossary explains, and what the index knows besides."""

import re
from pathlib import Path

from nbconvert.filters.markdown_mistune import markdown2html_mistune

GLOSSARY = Path(__file__).parents[3] / "notebooks" / "glossary.md"
ENTRY = re.compile(r"^\*\*(?P<term>.+?)\*\*(?: \((?P<forms>.+?)\))?: (?P<meaning>.+)$", re.MULTILINE)
# A header of one word has to stand in the glossary.
HEADER_OR_STATUS = re.compile(r"[A-Z][a-z]*(-[A-Z][A-Za-z]+)+|[2-5]\d\d")


class Terms:
    def __init__(self):
        entries = [entry.groupdict() for entry in ENTRY.finditer(GLOSSARY.read_text("utf-8"))]
        self.glossary = sorted(
            ({"term": one["term"], "label": inline(one["term"]), "meaning": inline(one["meaning"])} for one in entries),
            key=lambda entry: sorting(entry["term"]),
        )
        self.forms = {
            plain(form): entry["term"]
            for entry in entries
            for form in (entry["term"], *(entry["forms"] or "").split(", "))
            if form
        }

    def named(self, text: str) -> str | None:
        """The term that a text is a form of, whatever its case and its marks."""
        return self.forms.get(plain(text))

    def of_http(self, code: str) -> str | None:
        """The header or the status that a piece of code begins with: `Prefer: wait=20`, `304 Not Modified`."""
        name = re.split(r":| (?=[A-Z])", code)[0]
        return self.named(name) or (f"`{name}`" if HEADER_OR_STATUS.fullmatch(name) else None)

    def within(self, heading: str) -> set[str]:
        """The terms that a heading has in it."""
        return {term for form, term in self.forms.items() if re.search(rf"\b{re.escape(form)}\b", plain(heading))}


def plain(text: str) -> str:
    return re.sub(r"<[^>]+>|[`*.]", "", text).lower().strip()


def sorting(term: str) -> str:
    return re.sub(r"[^a-z0-9]", "", term.lower())


def inline(markdown: str) -> str:
    return re.sub(r"^<p>|</p>$", "", markdown2html_mistune(markdown).strip())
