"""Faults between the operator and a real API server: a TLS proxy with a plan, and what must hold whatever it does."""
