"""This package publishes audited builds to readers."""
