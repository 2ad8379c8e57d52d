"""Writes the pages and the notebooks of the handouts. Reads one order from stdin: JSON, as `build-handouts.ts` writes it."""

import json
import shutil
import sys
from pathlib import Path

import nbformat
from chapter import ChapterExporter
from edition import figures_of, handed_out, hints_of, shown
from pages import Pages
from terms import Terms

order = json.load(sys.stdin)
terms = Terms()
out = Path(order["out"])

for edition in order["editions"]:
    folder = out / edition
    (folder / "notebooks" / "executed").mkdir(parents=True)
    (folder / "assets").mkdir()
    for asset in order["assets"]:
        shutil.copy(asset, folder / "assets")

    executed = {one["name"]: nbformat.read(one["executed"], as_version=4) for one in order["chapters"]}
    pages = {one["name"]: shown(executed[one["name"]], edition, one) for one in order["chapters"]}
    figures = {name: figures_of(page) for name, page in pages.items()}
    chapters = []
    for chapter in order["chapters"]:
        name = chapter["name"]
        exporter = ChapterExporter(chapter, figures, terms)
        opener, rest = exporter.parts(pages[name], edition)
        chapters.append({
            **chapter,
            "opener": opener,
            "rest": rest,
            "sections": exporter.sections,
            "figures": figures[name],
            "hints": hints_of(pages[name], chapter),
            "mentions": exporter.mentions,
        })

        untouched = nbformat.read(chapter["path"], as_version=4)
        nbformat.write(handed_out(untouched, edition, chapter), folder / "notebooks" / f"{name}.ipynb")
        nbformat.write(handed_out(executed[name], edition, chapter), folder / "notebooks" / "executed" / f"{name}.ipynb")

    Pages(order, edition, chapters, terms).write(folder)
