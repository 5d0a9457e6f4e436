"""The pages: one for people who are logged in, one for those who were refused."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.template import Context, Template
from django.urls import include, path

LOGOUT = '<form method="post" action="{% url "oidc_logout" %}">{% csrf_token %}<button name="logout">Log out</button></form>'


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


@login_required
def account(request):
    return HttpResponse(Template(LOGOUT).render(Context({"csrf_token": get_token(request)})))


def old(request):
    """As if the ID token had become too old: the next page asks for another."""
    request.session["oidc_id_token_expiration"] = 0
    return redirect("/")


def refused(request):
    return HttpResponse("refused", status=403)


urlpatterns = [
    path("", who),
    path("account/", account),
    path("old/", old),
    path("refused/", refused),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
