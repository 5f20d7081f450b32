"""This package publishes a build for readers."""
