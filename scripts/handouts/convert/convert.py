"""Writes the pages and the notebooks of the handouts. Reads one order from stdin: JSON, as `build-handouts.ts` writes it."""

import json
import shutil
import sys
from pathlib import Path

import nbformat
from chapter import ChapterExporter
from edition import handed_out, shown
from pages import Pages

order = json.load(sys.stdin)
out = Path(order["out"])

for edition in order["editions"]:
    folder = out / edition
    (folder / "notebooks" / "executed").mkdir(parents=True)
    (folder / "assets").mkdir()
    for asset in order["assets"]:
        shutil.copy(asset, folder / "assets")

    names = [chapter["name"] for chapter in order["chapters"]]
    chapters = []
    for chapter in order["chapters"]:
        executed = nbformat.read(chapter["executed"], as_version=4)
        untouched = nbformat.read(chapter["path"], as_version=4)
        exporter = ChapterExporter(chapter, names)
        opener, rest = exporter.parts(shown(executed, edition, chapter), edition)
        chapters.append({**chapter, "opener": opener, "rest": rest, "sections": exporter.sections})

        file = f"{chapter['name']}.ipynb"
        nbformat.write(handed_out(untouched, edition, chapter), folder / "notebooks" / file)
        nbformat.write(handed_out(executed, edition, chapter), folder / "notebooks" / "executed" / file)
        print(json.dumps({"edition": edition, "chapter": chapter["name"]}), flush=True)

    Pages(order, edition, chapters).write(folder)
