"""Readers turn a file as sent into chunks of text columns with line numbers."""
