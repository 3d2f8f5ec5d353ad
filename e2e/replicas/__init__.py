"""Two real operators that contend for one Lease, what is done to them, and what the API server says came of it."""
