"""The portal shows each official the permitted parts of the publications, inside Airflow's UI and as a page of its own.

`plugin` registers it with Airflow (entry point `airflow.plugins`), `app` puts it together, `access` decides who sees
what. Decisions: docs/decisions/portal.md.
"""
