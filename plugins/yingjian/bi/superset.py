"""This module uses the REST API of a running Superset to import a bundle."""

from __future__ import annotations

import json
from http import HTTPStatus

import httpx

from yingjian.bi.bundle import DATABASE_FILE
from yingjian.settings import SetupError

ADMIN = "admin"
SECONDS = 300


def import_bundle(url: str, bundle: bytes, admin_password: str, warehouse_password: str) -> None:
    """Import a bundle as the administrator, and overwrite objects that have the same UUIDs.

    It calls the endpoint `assets`, because the import of dashboards does not update charts and datasets that exist.
    Raises SetupError with Superset's answer, which holds neither password.
    """
    with httpx.Client(base_url=url.rstrip("/"), timeout=SECONDS, headers={"Referer": url}) as client:
        login = {"username": ADMIN, "password": admin_password, "provider": "db"}
        token = _answer(client, "POST", "/api/v1/security/login", json=login)["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.headers["X-CSRFToken"] = _answer(client, "GET", "/api/v1/security/csrf_token/")["result"]
        _answer(
            client,
            "POST",
            "/api/v1/assets/import/",
            files={"bundle": ("yingjian.zip", bundle, "application/zip")},
            data={"passwords": json.dumps({DATABASE_FILE: warehouse_password})},
        )


def _answer(client: httpx.Client, method: str, path: str, **content: object) -> dict[str, str]:
    try:
        answer = client.request(method, path, **content)  # type: ignore[arg-type]
    except httpx.HTTPError as error:
        raise SetupError(f"Superset does not answer at {client.base_url}: {type(error).__name__}") from None
    if answer.status_code != HTTPStatus.OK:
        raise SetupError(f"Superset answered {answer.status_code} to {method} {path}: {answer.text[:1000]}")
    body: dict[str, str] = answer.json()
    return body
