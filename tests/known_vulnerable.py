# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2==2.11.2"]
# ///
"""`make audit` scans this package first. It has known vulnerabilities, so a clean result means that the audit does not work.

Nobody installs or runs it.
"""
