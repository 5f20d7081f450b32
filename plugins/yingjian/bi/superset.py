"""This module brings a bundle into a running Superset over its REST API."""

from __future__ import annotations

import json
from http import HTTPStatus

import httpx

from yingjian.bi.bundle import DATABASE_FILE
from yingjian.settings import SetupError

ADMIN = "admin"
SECONDS = 300


def import_bundle(url: str, bundle: bytes, admin_password: str, warehouse_password: str) -> None:
    """Import a bundle as the administrator; whatever was imported before under the same UUIDs is overwritten.

    The path `assets` is taken because an import of dashboards leaves charts and datasets that are there as they are.
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
