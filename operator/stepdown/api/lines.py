"""Text of others for people: one printable line of bounded length.

What tenants, servers and other controllers write goes into status, Events, logs and terminals. A line break would
forge a second log line there, an escape sequence would repaint a terminal, an override of direction would turn a
sentence round.
"""


def one_line(text: str, most: int) -> str:
    """The text without what can't be printed, each such character a space; `most` characters of it."""
    text = text[:most]
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
