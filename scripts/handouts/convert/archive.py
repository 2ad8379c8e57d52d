"""Makes a zip of each edition: the same bytes from the same files. Reads its order from stdin."""

import json
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

order = json.load(sys.stdin)
folder = Path(order["folder"])
for edition in order["editions"]:
    name = f"polling-lab-{edition}"
    with ZipFile(folder / f"{name}.zip", "w", ZIP_DEFLATED) as archive:
        for file in sorted(path for path in (folder / edition).rglob("*") if path.is_file()):
            # A date would be the only thing to change.
            entry = ZipInfo(f"{name}/{file.relative_to(folder / edition).as_posix()}")
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
