"""The table of faults and the figures: docs/reliability.md, written from what the tests say of themselves."""
