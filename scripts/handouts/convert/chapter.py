"""A notebook as a chapter: nbconvert's exporter with a template, listings and mathematics of our own."""

import base64
import html
import json
import re
from pathlib import Path

from latex2mathml.converter import convert as to_mathml
from nbconvert.exporters import TemplateExporter
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import inherit
from pygments.lexers import get_lexer_by_name
from pygments.lexers.javascript import TypeScriptLexer
from pygments.token import Number
from pygments.util import ClassNotFound
from terms import Terms
from traitlets.config import Config

TEMPLATES = Path(__file__).parent.parent
OPENED = "<!-- opened -->"


def listing(code: str, language: str = "typescript", kind: str = "code") -> str:
    """
    Code, or what a program printed, line by line: a line that is too long for the page is broken, and goes on
    further in than it began.
    """
    code = "\n".join(strip_ansi(code).expandtabs(4).splitlines())
    marked = highlight(code, lexer_for(language), HtmlFormatter(nowrap=True))  # ends its last line, too
    raw_lines = code.split("\n")
    lines = zip(raw_lines, marked.split("\n")[: len(raw_lines)], strict=True)
    spans = [
        f'<span class="line" style="--in:{len(raw) - len(raw.lstrip())}">{indented(line)}\n</span>' for raw, line in lines
    ]
    return f'<pre class="{kind}"><code>{"".join(spans)}</code></pre>'


def indented(line: str) -> str:
    """Keeps a line's indentation beside its first word. Without this, a long first word wraps and leaves an empty line above it."""
    return re.sub(r"^((?:<[^>]*>)*)( +)", r'\1<span class="indent">\2</span>', line)


def opening(code: str) -> str:
    """The comment that a folded cell begins with, which says what its code does, as HTML: names in backticks as code."""
    comment = re.match(r"//\s*(.+)", code)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(comment[1])) if comment else "Code"


class Lexer(TypeScriptLexer):
    """Knows numbers with separators, too: `2_500`."""

    tokens = {"root": [(r"\d[\d_]*_\d+", Number.Integer), inherit]}


def lexer_for(language: str):
    as_is = {"stripnl": False, "ensurenl": False}
    if language in ("typescript", "ts"):
        return Lexer(**as_is)
    try:
        return get_lexer_by_name(language, **as_is)
    except ClassNotFound:
        return get_lexer_by_name("text", **as_is)


def picture_of(data: dict, metadata: dict) -> str:
    """The picture of a chart. An image, so that no page of a browser mixes its ids with those of others."""
    picture = data["image/svg+xml"]
    alt = metadata.get("image/svg+xml", {}).get("alt") or data.get("text/plain", "")
    width, height = (re.search(rf'<svg[^>]*\s{side}="(\d+)', picture) for side in ("width", "height"))
    size = f'width="{width[1]}" height="{height[1]}"' if width and height else ""
    url = f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"
    return f'<img src="{url}" alt="{html.escape(alt)}" {size}>'


def chart(data: dict, metadata: dict) -> str:
    """A numbered figure: the chart's picture, and what the page's script draws the live chart from."""
    figure, spec = metadata["figure"], data.get("application/vnd.vegalite.v5+json")
    live = json.dumps(spec).replace("<", "\\u003c") if spec else ""
    script = f'<script type="application/json">{live}</script>' if spec else ""
    watched = " watched" if figure["watched"] else ""
    return (
        f'<figure class="chart{watched}" id="figure-{figure["number"]}">{picture_of(data, metadata)}{script}'
        f'<figcaption>Figure {figure["number"]}</figcaption></figure>'
    )


class Renderer(IPythonRenderer):
    """Markdown's parts. Headings, links and terms are the chapter's; mathematics is MathML, which browsers draw."""

    def __init__(self, chapter: "ChapterExporter", **options):
        folder = Path(chapter.chapter["path"]).parent
        super().__init__(escape=False, embed_images=True, path=str(folder), **options)
        self.chapter = chapter

    def heading(self, text: str, level: int, **attrs) -> str:
        plain = html.unescape(re.sub("<[^>]+>", "", text))
        text = re.sub("</?span[^>]*>", "", text)  # the marks of terms: the heading itself is where they lead
        anchor = self.chapter.anchor(plain)
        if level <= 2:
            self.chapter.section = {"id": anchor, "title": text}
        if level == 2:
            self.chapter.sections.append(self.chapter.section)
        for term in self.chapter.terms.within(plain):
            self.chapter.mention(term, anchor)
        return f'<h{level} id="{html.escape(anchor)}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        target = self.chapter.target(url)
        if not target:
            return text
        figure = re.search(r"#figure-([\d.]+)$", target)
        return super().link(f"{text} (Figure {figure[1]})" if figure else text, target, title)

    def emphasis(self, text: str) -> str:
        return self.marked(super().emphasis(text), self.chapter.terms.named(text))

    def strong(self, text: str) -> str:
        return self.marked(super().strong(text), self.chapter.terms.named(text))

    def codespan(self, text: str) -> str:
        return self.marked(super().codespan(text), self.chapter.terms.named(text) or self.chapter.terms.of_http(text))

    def marked(self, element: str, term: str | None) -> str:
        """An element that names a term, as a place to which the index can lead: once a section."""
        if not term or self.chapter.mentions.get(term, [{}])[-1].get("section") is self.chapter.section:
            return element
        anchor = self.chapter.own(f"term-{sum(map(len, self.chapter.mentions.values()))}")
        self.chapter.mention(term, anchor)
        return f'<span id="{anchor}">{element}</span>'

    def block_code(self, code: str, info: str | None = None) -> str:
        return listing(code, (info or "text").split()[0])

    def table(self, text: str) -> str:
        return f'<div class="table"><table>{text}</table></div>'

    def block_math(self, body: str) -> str:
        return to_mathml(body, display="block")

    def inline_math(self, body: str) -> str:
        return to_mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        return to_mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display="block")


class ChapterExporter(TemplateExporter):
    """
    Makes the body of a chapter, and tells its sections, and where it names which term. Every id in it begins with the
    chapter's name, but for those of figures, which have the chapter's number.
    """

    def __init__(self, chapter: dict, figures: dict[str, list[dict]], terms: Terms):
        config = Config({"NbConvertBase": {"display_data_priority": [
            "image/svg+xml", "text/html", "text/markdown", "image/png", "image/jpeg", "text/latex", "text/plain",
        ]}})
        super().__init__(
            config=config,
            extra_template_basedirs=[str(TEMPLATES)],
            template_name="template",
            template_file="chapter.html.j2",
            file_extension=".html",
        )
        self.chapter = chapter
        self.figures = figures  # by the name of their chapter
        self.terms = terms
        self.section: dict = {}
        self.sections: list[dict] = []
        self.mentions: dict[str, list[dict]] = {}
        self.anchors: dict[str, int] = {}

    def default_filters(self):
        yield from super().default_filters()
        yield "markdown2html", self.markdown2html
        yield "listing", listing
        yield "opening", opening
        yield "chart", chart
        yield "linked", self.linked
        yield "own", self.own

    def parts(self, notebook: NotebookNode, edition: str) -> tuple[str, str]:
        """The first cell, which opens the chapter, and the rest of it."""
        body, _ = self.from_notebook_node(notebook, {edition: True, "opened": OPENED})
        opener, _, rest = body.partition(OPENED)
        return opener, rest

    def markdown2html(self, source: str) -> str:
        return MarkdownWithMath(renderer=Renderer(self)).render(source)

    def linked(self, output: str) -> str:
        """HTML that a cell wrote: what links to another notebook leads to its chapter."""
        def chapter(link: re.Match) -> str:
            target = self.target(html.unescape(link[1]))
            return f'href="{html.escape(target)}"' if target else ""

        return re.sub(r'href="([^":]+\.ipynb(?:#[^"]*)?)"', chapter, output)

    def own(self, name: str) -> str:
        """An id of this chapter."""
        return f"{self.chapter['name']}.{name}"

    def anchor(self, heading: str) -> str:
        """As Jupyter makes them, for links from notebook to notebook; a heading that comes again gets a number."""
        name = heading.replace(" ", "-")
        count = self.anchors[name] = self.anchors.get(name, 0) + 1
        return self.own(name if count == 1 else f"{name}-{count}")

    def mention(self, term: str, anchor: str) -> None:
        self.mentions.setdefault(term, []).append({"id": anchor, "section": self.section})

    def target(self, url: str) -> str | None:
        """
        Where a link leads in the handouts; nowhere, if that is not handed out. One to a cell, as JupyterLab has them
        (`#cell-id=NAME`), leads to the first figure that the cell draws.
        """
        if re.match(r"[a-z]+:", url):
            return url
        path, _, fragment = url.partition("#")
        name = path.removeprefix("./").removesuffix(".ipynb") if path else self.chapter["name"]
        if name not in self.figures:
            return None
        if fragment.startswith("cell-id="):
            cell = fragment.removeprefix("cell-id=")
            drawn = [figure["number"] for figure in self.figures[name] if figure["cell"] == cell]
            return f"{name}.html#figure-{drawn[0]}" if drawn else f"{name}.html#{name}.{cell}"
        return f"{name}.html#{name}.{fragment}" if fragment else f"{name}.html"
