"""A site that logs people in with mozilla-django-oidc. What concerns idp is in sso.py;
the folder DATA_FOLDER has the database. A site that people use has more to set:
https://docs.djangoproject.com/en/stable/howto/deployment/checklist/."""

import os
import secrets
from pathlib import Path

from sso import *  # noqa: F403

ALLOWED_HOSTS = [".localhost"]
SECRET_KEY = secrets.token_hex()  # of one run; a real one is kept in a file
ROOT_URLCONF = "wiki.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(os.environ["DATA_FOLDER"]) / "wiki.db"}}
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
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
USE_TZ = True
