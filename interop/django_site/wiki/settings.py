"""A site that logs people in with mozilla-django-oidc. What concerns idp is in sso.py,
which docs/interoperability.md holds; the folder WIKI_DATA has the database."""

import os
from pathlib import Path

from sso import *  # noqa: F403

ALLOWED_HOSTS = ["site.localhost"]
SECRET_KEY = "of one run"
ROOT_URLCONF = "wiki.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(os.environ["WIKI_DATA"]) / "wiki.db"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "mozilla_django_oidc",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mozilla_django_oidc.middleware.SessionRefresh",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
AUTHENTICATION_BACKENDS = ["wiki.people.Backend"]
LOGIN_URL = "oidc_authentication_init"
LOGIN_REDIRECT_URL = "/"
LOGIN_REDIRECT_URL_FAILURE = "/refused/"
OIDC_STORE_ACCESS_TOKEN = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
USE_TZ = True
