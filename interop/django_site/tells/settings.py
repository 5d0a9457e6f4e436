"""The site of examples/django-oidc, but with pages that tell a test everything, and with
the package's own rules who is who. sso.py is what docs/interoperability.md holds."""

from wiki.settings import *  # noqa: F403

ROOT_URLCONF = "tells.urls"
AUTHENTICATION_BACKENDS = ["tells.people.Backend"]
OIDC_STORE_ACCESS_TOKEN = True
