"""This package writes the officials' daily report: a self-contained page per publication, and a pack of files per audience."""
