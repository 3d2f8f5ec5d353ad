"""A poller that asks each query by itself, spread over an interval: `naive.py URL QUERIES.json SECONDS`."""

import json
import sys
import time
from pathlib import Path

import requests


def main(url: str, queries: list[str], interval: float) -> None:
    """Asks for ever."""
    session = requests.Session()
    session.trust_env = False
    print("asking", flush=True)
    due = time.monotonic()
    while True:
        for query in queries:
            due += interval / len(queries)
            time.sleep(max(0.0, due - time.monotonic()))
            session.post(f"{url}/api/v1/query", data={"query": query}, timeout=10).json()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), float(sys.argv[3]))
