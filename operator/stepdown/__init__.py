"""Steps services down a ladder of operating levels when they cannot keep their objectives, and back up."""

__version__ = "0.1.0"
