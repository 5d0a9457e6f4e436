"""Who is who. The package would find people by their mail address, which may change and
pass to somebody else, and refuses whoever has none. `sub` is one person's for ever."""

from django.contrib.auth.models import Group
from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class Backend(OIDCAuthenticationBackend):
    def verify_claims(self, claims):
        return "sub" in claims

    def filter_users_by_claims(self, claims):
        return self.UserModel.objects.filter(username=claims["sub"])

    def get_username(self, claims):
        return claims["sub"]

    def create_user(self, claims):
        return self.update_user(super().create_user(claims), claims)

    def update_user(self, user, claims):
        """At each login: the names, and the groups that this site knows by the same names."""
        user.first_name = claims.get("name") or claims.get("preferred_username", "")
        user.email = claims.get("email", "")
        user.save()
        user.groups.set(Group.objects.filter(name__in=claims.get("groups", [])))
        return user
