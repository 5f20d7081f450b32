"""Officials may sign in with an OpenID Connect provider; authlib speaks with it and checks what it says."""

from __future__ import annotations

from functools import cache
from typing import Any

from authlib.integrations.starlette_client import OAuth

from yingjian.settings import SetupError, variables


@cache
def provider() -> Any:
    """Return authlib's client of the provider that the settings name; None when they name none.

    Raises SetupError when the client's id or its secret is missing.
    """
    given = variables()
    if not given.oidc_issuer:
        return None
    if not (given.oidc_client and given.oidc_secret):
        raise SetupError("YINGJIAN_OIDC_ISSUER is set, so YINGJIAN_OIDC_CLIENT and YINGJIAN_OIDC_SECRET must be too")
    return OAuth().register(
        "provider",
        client_id=given.oidc_client,
        client_secret=given.oidc_secret,
        server_metadata_url=f"{given.oidc_issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
    )


def login_of(token: dict[str, Any]) -> str:
    """Return the login that the provider's checked ID token names; empty when it names none."""
    claim = (token.get("userinfo") or {}).get(variables().oidc_claim)
    return claim if isinstance(claim, str) else ""
