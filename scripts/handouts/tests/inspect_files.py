"""Tells, as JSON, what is in PDFs and zips: what a person sees of them, and what only a program does."""

import hashlib
import json
import sys
from zipfile import ZipFile

from pypdf import PdfReader
from pypdf.generic import ArrayObject, ByteStringObject, Destination, DictionaryObject, TextStringObject


def pdf(path: str) -> dict:
    reader = PdfReader(path)
    pages = {page.indirect_reference.idnum: number for number, page in enumerate(reader.pages, 1)}

    def bookmarks(items):
        for item in items:
            if isinstance(item, Destination):
                yield {"title": item.title, "page": pages[item.page.idnum]}
            else:
                yield from bookmarks(item)

    return {
        "pages": [
            {"text": page.extract_text(), "width": float(page.mediabox.width), "height": float(page.mediabox.height)}
            for page in reader.pages
        ],
        "fonts": sorted({font["/Subtype"] for page in reader.pages for font in fonts(page)}),
        "bookmarks": list(bookmarks(reader.outline)),
        "strings": list(strings(reader)),
    }


def fonts(page):
    return [font.get_object() for font in page["/Resources"].get("/Font", {}).values()]


def strings(reader: PdfReader):
    """Every string of every object, metadata and alternative texts among them."""
    waiting = [reader.get_object(number) for number in range(1, reader.trailer["/Size"])]
    while waiting:
        value = waiting.pop()
        if isinstance(value, DictionaryObject):
            waiting += list(value.values())
        elif isinstance(value, ArrayObject):
            waiting += list(value)
        elif isinstance(value, TextStringObject):
            yield str(value)
        elif isinstance(value, ByteStringObject):
            yield value.decode("latin-1")


def archive(path: str) -> dict:
    with ZipFile(path) as zipped:
        return {name: hashlib.sha256(zipped.read(name)).hexdigest() for name in zipped.namelist()}


print(json.dumps([pdf(path) if path.endswith(".pdf") else archive(path) for path in sys.argv[1:]]))
