"""The pages: one for people who are logged in, one for those who were refused."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.template import RequestContext, Template
from django.urls import include, path

ACCOUNT = """<!doctype html><title>Wiki</title>
<p>You are {{ user.first_name }} {{ user.email }}, {{ user.username }} for idp.
<form method="post" action="{% url "oidc_logout" %}">{% csrf_token %}<button name="logout">Sign out</button></form>"""


@login_required
def account(request):
    return HttpResponse(Template(ACCOUNT).render(RequestContext(request, {"user": request.user})))


def refused(request):
    return HttpResponse("You may not use this site.", status=403)


urlpatterns = [
    path("", account),
    path("refused/", refused),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
