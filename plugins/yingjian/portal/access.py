"""This module identifies the reader of each request.

Apps that a plugin mounts do not inherit Airflow's authentication. The session is therefore checked here, with Airflow's
own functions, whichever auth manager Airflow runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import Depends, Form, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials

from yingjian.portal.readers import Need, Reader, RefusedError, directory, is_form_of


class SignedOutError(Exception):
    """There is no valid session; the reader must go to Airflow's login."""


class StaleFormError(Exception):
    """A form was sent that the portal did not give to this reader, or gave long ago."""


async def signed_in(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]
) -> BaseUser:
    """Return the user of the session cookie or of the bearer token, as Airflow itself reads them."""
    try:
        return await get_user(request, None, bearer)
    except HTTPException:
        raise SignedOutError from None


SignedIn = Annotated[BaseUser, Depends(signed_in)]


def reader_of(user: SignedIn) -> Reader:
    """Return the reader for a user, from the directory and from Airflow.

    The login is the user's name in Airflow: with the FAB and the Keycloak auth manager the id is a number or a UUID. A
    user belongs to the data team if Airflow lets the user see connections, as its operators and administrators may.
    """
    login = user.get_name()
    return Reader(
        login, directory().get(login), bool(get_auth_manager().is_authorized_connection(method="GET", user=user))
    )


def needs(need: Need) -> Callable[[Reader], Reader]:
    """Return a dependency that lets in every reader who meets a need."""

    def check(reader: Annotated[Reader, Depends(reader_of)]) -> Reader:
        if not reader.may(need):
            raise RefusedError(need, reader)
        return reader

    return check


Entering = Annotated[Reader, Depends(needs(Need.ENTER))]
OfPart = Annotated[Reader, Depends(needs(Need.PART))]
OfPersons = Annotated[Reader, Depends(needs(Need.PERSONS))]
OfQuarantine = Annotated[Reader, Depends(needs(Need.QUARANTINE))]
OfDataTeam = Annotated[Reader, Depends(needs(Need.DATA_TEAM))]


def checked_form(user: SignedIn, form_token: Annotated[str, Form(max_length=500)] = "") -> None:
    """Raise StaleFormError unless the portal gave this form to this user within the last hours."""
    if not is_form_of(user.get_name(), form_token):
        raise StaleFormError


CheckedForm = Depends(checked_form)


def login_url(request: Request) -> str:
    """Return the address of Airflow's login, which leads back to the requested page."""
    back = f"{request.scope['root_path']}/"
    if request.method == "GET":
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return get_auth_manager().get_url_login(next_url=back)
