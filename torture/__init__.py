"""Every fault at every call: the operator's own cycle, ledger and lease over an API server in memory.

`python -m torture` explores, goes on at random, or replays one line.
"""
