"""Mutants of the engine and the ledger: every small change of them must turn a test red, or be listed with a reason."""
