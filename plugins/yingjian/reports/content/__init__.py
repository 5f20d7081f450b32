"""This package says what the report says: it reads the published rows, and makes figures, lists, actions and sections of them, as data."""
