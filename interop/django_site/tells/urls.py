"""The example's pages, and those that tests read."""

import wiki.urls
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import redirect
from django.urls import path


@login_required
def who(request):
    session = request.session
    return JsonResponse(
        {
            "user": request.user.username,
            "email": request.user.email,
            "id_token": session["oidc_id_token"],
            "userinfo": session["userinfo"],
            "access_token": session["oidc_access_token"],
        }
    )


def old(request):
    """As if the ID token had become too old: the next page asks for another."""
    request.session["oidc_id_token_expiration"] = 0
    return redirect("/")


urlpatterns = [path("", who), path("account/", wiki.urls.account), path("old/", old), *wiki.urls.urlpatterns]
