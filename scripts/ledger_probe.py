"""Which requests the course's server has not finished answering, from its ledger."""

from __future__ import annotations

import json
import urllib.request

# The server is on this machine: a proxy that the environment names for the network knows nothing of it.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_requests(url: str) -> list[str]:
    try:
        with direct.open(f"{url}/traffic", timeout=10) as answer:
            rows = json.load(answer)["requests"]
    except OSError as error:  # the server has ended, say
        return [f"the ledger, which did not answer ({error}),"]
    return [f"{row['method']} {row['route']}" for row in rows if row["endedAt"] is None]
