"""This module lists Airflow's users, the data team, and manages their passwords."""

from __future__ import annotations

import json
import os
import tempfile

from yingjian.people.officials import ADMIN, read_officials
from yingjian.settings import Settings, SetupError


def users(settings: Settings) -> dict[str, str]:
    """Return Airflow's users with their roles: the administrator, and the data team of officials.yml, but no officials.

    Raises SetupError if another person has the administrator's login, or if the file is invalid.
    """
    officials = read_officials(settings.officials)
    if officials.get(ADMIN) or ADMIN in officials.data_team:
        raise SetupError(f"{settings.officials}: the login {ADMIN} is Airflow's own: give another one")
    return {ADMIN: "admin", **officials.data_team}


def password(settings: Settings, login: str) -> str:
    """Return a user's Airflow password, which is generated on first use and kept among the home's secrets."""
    return settings.secret(f"airflow_{login}" if login == ADMIN else f"airflow_user_{login}")


def write_passwords(settings: Settings) -> None:
    """Write the password file of Airflow's simple auth manager, readable by its owner only."""
    path = settings.home / "airflow" / "passwords.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mkstemp sets mode 0600.
    with os.fdopen(descriptor, "w") as file:
        json.dump({login: password(settings, login) for login in users(settings)}, file)
    # The replacement is atomic: a service that starts meanwhile reads the old file or the new one.
    os.replace(temporary, path)
