"""The portal is the officials' web application: each sees the permitted parts of the publications, and decides.

`app` puts it together, `accounts` signs in, `access` decides who sees what. Decisions: docs/decisions/portal.md.
"""
