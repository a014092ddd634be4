"""Who asks: a program with the header `Authorization: Token …`, or a person with the session of the browser."""

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from api import tokens
from api.models import Token
from api.tokens import DeadTokenError
from audit import circumstances

WORD = "Token"


class ByToken(BaseAuthentication):
    """Where the header names a token, it counts and no session does. What is recorded from here on names it."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        word, _space, secret = get_authorization_header(request).partition(b" ")
        if word.lower() != WORD.lower().encode():
            return None
        try:
            found = tokens.of_secret(secret.strip().decode("latin-1"), timezone.now())
        except DeadTokenError as error:
            raise AuthenticationFailed(f"{error} Make a new one on the console's page of tokens.") from error
        circumstances.name_token(found.name)
        return found.owner, found

    def authenticate_header(self, request: Request) -> str:
        return WORD
