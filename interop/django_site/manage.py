"""Django's own program, for the site of examples/django-oidc with the settings of tells."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "tells.settings"
execute_from_command_line(sys.argv)
