"""This package holds the sections of the report."""
