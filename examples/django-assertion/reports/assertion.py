"""The user is whom idp's assertion names: a signed JWT, made for this host a moment ago.
No other header counts, so that whoever reaches the application past the proxy, or plants
headers in front of it, is nobody."""

import json
import logging
import urllib.request

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponseForbidden


class AssertionMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response
        with urllib.request.urlopen(settings.ISSUER + "/.well-known/openid-configuration", timeout=10) as discovery:
            self.keys = jwt.PyJWKClient(json.load(discovery)["jwks_uri"])

    def __call__(self, request):
        try:
            request.user = self.user(request.META.get("HTTP_REMOTE_ASSERTION"))
        except jwt.PyJWTError as why:
            logging.warning("refused: %s", why)
            return HttpResponseForbidden()
        return self.get_response(request)

    def user(self, assertion):
        if not assertion:
            return AnonymousUser()
        key = self.keys.get_signing_key_from_jwt(assertion)
        whole = jwt.decode_complete(
            assertion,
            key,
            algorithms=["ES256"],
            issuer=settings.ISSUER,
            audience=settings.HOST,
            options={"require": ["iss", "aud", "exp", "sub"]},
        )
        if whole["header"].get("typ") != "assertion+jwt":  # an ID token is a JWT, too
            raise jwt.InvalidTokenError("not an assertion")
        claims = whole["payload"]
        names = {"first_name": claims.get("preferred_username", ""), "email": claims.get("email", "")}
        return get_user_model().objects.update_or_create(username=claims["sub"], defaults=names)[0]
