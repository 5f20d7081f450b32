"""Readers turn a file, as it was sent, into chunks of text columns with their line numbers."""
