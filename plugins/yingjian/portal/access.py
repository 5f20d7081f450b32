"""Who is at the portal's door.

Apps that a plugin mounts do not inherit Airflow's authentication: the session is checked here, with Airflow's own
functions, whichever auth manager Airflow runs.
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
    """There is no valid session: to Airflow's login."""


class StaleFormError(Exception):
    """A form was sent that the portal did not give to this reader, or gave long ago."""


async def signed_in(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]
) -> BaseUser:
    """The user of the session cookie or of the bearer token, as Airflow itself reads them."""
    try:
        return await get_user(request, None, bearer)
    except HTTPException:
        raise SignedOutError from None


SignedIn = Annotated[BaseUser, Depends(signed_in)]


def reader_of(user: SignedIn) -> Reader:
    """What the directory and Airflow say of a user.

    The login is the user's name in Airflow: with the FAB and the Keycloak auth manager the id is a number or a UUID.
    The data team are those whom Airflow lets see connections: its operators and administrators.
    """
    login = user.get_name()
    return Reader(
        login, directory().get(login), bool(get_auth_manager().is_authorized_connection(method="GET", user=user))
    )


def needs(need: Need) -> Callable[[Reader], Reader]:
    """A dependency that lets in whoever meets a need."""

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
    """Raises StaleFormError when the form is not one that the portal gave to this user within the last hours."""
    if not is_form_of(user.get_name(), form_token):
        raise StaleFormError


CheckedForm = Depends(checked_form)


def login_url(request: Request) -> str:
    """Airflow's login, which comes back to the page that was asked for."""
    back = f"{request.scope['root_path']}/"
    if request.method == "GET":
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return get_auth_manager().get_url_login(next_url=back)
