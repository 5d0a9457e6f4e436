"""A site whose users are whom the assertion of idp names (assertion.py). The folder
DATA_FOLDER has the database. A site that people use has more to set:
https://docs.djangoproject.com/en/stable/howto/deployment/checklist/."""

import os
import secrets
from pathlib import Path

ISSUER = os.environ["ISSUER"]
HOST = os.environ["HOST"]  # as idp.yaml has it below forward_auth
ALLOWED_HOSTS = [HOST]
SECRET_KEY = secrets.token_hex()  # of one run; a real one is kept in a file
ROOT_URLCONF = "reports.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(os.environ["DATA_FOLDER"]) / "reports.db"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
]
MIDDLEWARE = [
    "django.middleware.csrf.CsrfViewMiddleware",
    "reports.assertion.AssertionMiddleware",
]
USE_TZ = True
