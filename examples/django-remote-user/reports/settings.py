"""A site that believes REMOTE_USER, by what Django brings and nothing else. The folder
DATA_FOLDER has the database. A site that people use has more to set:
https://docs.djangoproject.com/en/stable/howto/deployment/checklist/."""

import os
import secrets
from pathlib import Path

ALLOWED_HOSTS = ["reports.localhost"]
SECRET_KEY = secrets.token_hex()  # of one run; a real one is kept in a file
ROOT_URLCONF = "reports.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(os.environ["DATA_FOLDER"]) / "reports.db"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.RemoteUserMiddleware",
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend"]
USE_TZ = True
