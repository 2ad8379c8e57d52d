"""What an edition has of a notebook: on its page, where an exercise has room to be answered, and as a notebook."""

import html
import json
import re
from copy import deepcopy
from functools import partial
from itertools import groupby

from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

STUDENT = "student"
KINDS = ("check", "hint", "solution", "note")
# Lines to write on: as many as an answer takes by hand, and some for crossing out.
FEWEST, MOST, MORE = 5, 16, 1
EXERCISES = {
    "student": "Write your answers down here, or work in the notebook: there, each exercise has a check that tries "
    "your answer, and says what it still lacks.",
    "instructor": "Each with its hint, a solution, and what its check asks of an answer.",
}
PNG, SVG, VEGA_LITE = "image/png", "image/svg+xml", "application/vnd.vegalite.v5+json"


def shown(notebook: NotebookNode, edition: str, chapter: dict) -> NotebookNode:
    """The notebook as its page shows it. What a cell is to the page stands in its metadata, under `handout`."""
    page = deepcopy(notebook)
    if edition != STUDENT:
        with_notes(page, chapter)
    page.cells = [part for cell in page.cells for part in parts_of(cell)]
    page.cells = [cell for cell in map(partial(on_paper, edition), page.cells) if cell]
    for cell in page.cells:
        cell.metadata["handout"] = {"kind": kind(cell), "ms": chapter["durations"].get(cell.id)}
        if kind(cell) == "check":
            cell.metadata.handout["code"] = chapter["checks"][cell.metadata.of]
        if kind(cell) == "solution":
            cell.metadata.handout["code"] = unfolded(cell)
    room(page)
    # A page has its own links to its neighbors.
    page = without(page, cells={"navigation", *(("solution", "check") if edition == STUDENT else ())})
    in_order_of_reading(page)
    frame(page)
    number_figures(page, chapter)
    return page


def handed_out(notebook: NotebookNode, edition: str, chapter: dict) -> NotebookNode:
    """The notebook as a file. What a check said tells of the machine where it ran, so it stays there."""
    copy = without(notebook, cells={"solution"} if edition == STUDENT else set(), outputs={"check"})
    for cell in copy.cells:
        for output in cell.get("outputs", []):
            # GitHub and nbviewer take the SVG where there are both, and show it with defects.
            if PNG in output.get("data", {}):
                output.data.pop(SVG, None)
                output.metadata.pop(SVG, None)
    if edition != STUDENT:
        with_notes(copy, chapter)
    return copy


def kind(cell: NotebookNode) -> str:
    """One of KINDS, or nothing in particular."""
    tags = cell.metadata.get("tags", [])
    return next((name for name in KINDS if name in tags), "")


def on_paper(edition: str, cell: NotebookNode) -> NotebookNode | None:
    """The cell; what leads to the exercises tells how they go in a notebook, and here they go otherwise."""
    if "exercise" not in cell.metadata.get("tags", []) or exercise_of(cell):
        return cell
    if cell.cell_type == "code":
        return None
    heading, _, _ = cell.source.partition("\n")
    return NotebookNode({**cell, "source": f"{heading}\n\n{EXERCISES[edition]}"})


def exercise_of(cell: NotebookNode) -> str | None:
    """The exercise that a cell belongs to: `exercise-1` for `exercise-1-hint`."""
    found = re.fullmatch(r"(exercise-\d+)(-.+)?", cell.id)
    return found and found[1]


def unfolded(cell: NotebookNode) -> str:
    """The code that the output of a solution has."""
    [output] = cell.outputs
    return html.unescape(re.search(r"<code>(.*)</code>", output.data["text/html"], re.DOTALL)[1])


def parts_of(cell: NotebookNode) -> list[NotebookNode]:
    """In a notebook an answer and its check share a cell, whose output has the hint. A page has each by itself: the hint
    where it may have no check, and the check, which ends the cell, where it may have no answer."""
    if kind(cell) != "check":
        return [cell]
    [output] = cell.outputs
    hint = re.search(r"<summary>Hint</summary>(.*)</details>", output.data["text/html"], re.DOTALL)[1]
    answer, _, call = cell.source.rpartition("\n\n")
    exercise = exercise_of(cell)
    return [
        new_code_cell(answer, id=f"{exercise}-answer", metadata={"tags": ["exercise"]}),
        new_code_cell(id=f"{exercise}-hint", metadata={"tags": ["exercise", "hint"], "html": hint}),
        new_code_cell(call, id=f"{exercise}-check", metadata={"tags": ["exercise", "check"], "of": cell.id}),
    ]


def hints_of(page: NotebookNode, chapter: dict) -> list[dict]:
    """The hint of each exercise, with the exercise's number and title."""
    titles = {
        cell.id: re.match(r"\*\*(\d+)\. (.+?)\.?\*\*", cell.source) for cell in page.cells if exercise_of(cell) == cell.id
    }
    return [
        {
            "id": cell.id,
            "title": "{}.{}  {}".format(number_of(chapter), *titles[exercise_of(cell)].groups()),
            "html": cell.metadata.html,
        }
        for cell in page.cells
        if kind(cell) == "hint"
    ]


def room(page: NotebookNode) -> None:
    """Gives the answer of each exercise room in proportion to its solution, in lines."""
    solutions = {exercise_of(cell): cell for cell in page.cells if kind(cell) == "solution"}
    for cell in page.cells:
        if cell.id.endswith("-answer") and exercise_of(cell) in solutions:
            code = solutions[exercise_of(cell)].metadata.handout.code
            cell.metadata.handout["room"] = max(FEWEST, min(MOST, code.count("\n") + 1 + MORE))


def in_order_of_reading(page: NotebookNode) -> None:
    """In a notebook the check is the first to be run. On a page the note comes after the solution, then the check."""
    last = {"note": 1, "check": 2}
    cells = []
    for exercise, group in groupby(page.cells, exercise_of):
        cells += sorted(group, key=lambda cell: last.get(kind(cell), 0)) if exercise else group
    page.cells = cells


def frame(page: NotebookNode) -> None:
    """Marks where an exercise begins and ends."""
    neighbors = [None, *map(exercise_of, page.cells), None]
    for cell, before, own, after in zip(page.cells, neighbors, neighbors[1:], neighbors[2:], strict=False):
        cell.metadata.handout["begins"] = own is not None and own != before
        cell.metadata.handout["ends"] = own is not None and own != after


def number_of(chapter: dict) -> int:
    return chapter["number"] or 0


def number_figures(page: NotebookNode, chapter: dict) -> None:
    """Numbers the plots of a chapter: "3.2". What a figure is to the page stands in its output's metadata, under `figure`."""
    count = 0
    for cell in page.cells:
        for output in cell.get("outputs", []) if kind(cell) not in ("check", "solution") else []:
            if SVG not in output.get("data", {}):
                continue
            count += 1
            spec = output.data.get(VEGA_LITE, {})
            output.metadata["figure"] = {
                "number": f"{number_of(chapter)}.{count}",
                "title": spec.get("usermeta", {}).get("title") or output.data["text/plain"],
                "cell": cell.id,
                # The notebook drew it while the cell ran, along an axis of time.
                "watched": re.search(r"\b(live|race)\(", cell.source) is not None and '"time (s)"' in json.dumps(spec),
            }


def figures_of(page: NotebookNode) -> list[dict]:
    outputs = [output for cell in page.cells for output in cell.get("outputs", [])]
    return [{**output.metadata.figure, "output": output} for output in outputs if "figure" in output.get("metadata", {})]


def without(notebook: NotebookNode, cells: set[str], outputs: set[str] = frozenset()) -> NotebookNode:
    """A copy without the cells, and without the outputs of cells, that have one of the tags."""
    remover = TagRemovePreprocessor(enabled=True, remove_cell_tags=cells, remove_all_outputs_tags=set(outputs))
    return remover.preprocess(deepcopy(notebook), {})[0]


def with_notes(notebook: NotebookNode, chapter: dict) -> None:
    """Puts each of the teacher's notes behind the cell that it is about."""
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        for number, note in enumerate(chapter["notes"].get(cell.id, []), 1):
            source = f"**For the teacher.** {note}"
            cells.append(new_markdown_cell(source, id=f"{cell.id}-note-{number}", metadata={"tags": ["note"]}))
    notebook.cells = cells
