"""What all suites share."""

pytest_plugins = ["reliability.plugin"]
