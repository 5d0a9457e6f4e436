"""The pages: who is there, as Django and as nginx have it."""

from django.http import JsonResponse
from django.urls import path


def who(request):
    told = {name: request.META.get(name, "") for name in ("REMOTE_USER", "REMOTE_NAME", "REMOTE_EMAIL", "REMOTE_GROUPS")}
    return JsonResponse({"user": request.user.get_username(), **told})


urlpatterns = [path("", who), path("public/", who), path("finance/", who)]
