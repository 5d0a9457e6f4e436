"""The pages: who is there."""

from django.http import JsonResponse
from django.urls import path


def who(request):
    user = request.user
    return JsonResponse({"user": user.get_username(), "name": getattr(user, "first_name", ""), "email": getattr(user, "email", "")})


urlpatterns = [path("", who), path("public/", who), path("finance/", who)]
