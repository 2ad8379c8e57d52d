"""Tells, as JSON, on which page of a PDF each of its named destinations stands, counted from 1."""

import json
import sys
from urllib.parse import unquote

from pypdf import PdfReader

reader = PdfReader(sys.argv[1])
pages = {page.indirect_reference.idnum: number for number, page in enumerate(reader.pages, 1)}
print(json.dumps({unquote(name[1:]): pages[place.page.idnum] for name, place in reader.named_destinations.items()}))
