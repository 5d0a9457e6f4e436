"""Who is who: the package's own rules, and its claims are kept for the page."""

from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class Backend(OIDCAuthenticationBackend):
    def get_userinfo(self, access_token, id_token, payload):
        claims = super().get_userinfo(access_token, id_token, payload)
        self.request.session["userinfo"] = claims
        return claims

    def get_username(self, claims):
        return claims["preferred_username"]
