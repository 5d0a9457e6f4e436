"""A site that logs people in with Authlib, in the way of its manual for Flask.

authlib_site.py PORT, with sso.py, which docs/interoperability.md holds, in its path.
Its pages say as JSON what it knows."""

import sys

import flask
from authlib.integrations.base_client import OAuthError
from sso import oauth

site = flask.Flask(__name__)
site.secret_key = "of one run"
tokens = {}  # a cookie would be too small: sub → what the token endpoint gave


def mine():
    return tokens[flask.session["sub"]]


def keep(name, token, **old):
    """Keep what a refresh token gave; the old one is used up."""
    mine().update(token)


oauth.init_app(site, update_token=keep)


@site.get("/")
def who():
    if flask.session.get("sub") not in tokens:
        return oauth.idp.authorize_redirect(flask.url_for("callback", _external=True))
    userinfo = oauth.idp.userinfo(token=mine())
    return {"userinfo": userinfo, "id_token": mine()["id_token"], "access_token": mine()["access_token"]}


@site.get("/callback")
def callback():
    token = oauth.idp.authorize_access_token()
    flask.session["sub"] = token["userinfo"]["sub"]
    tokens[flask.session["sub"]] = token
    return flask.redirect("/")


@site.get("/refresh")
def refresh():
    keep("idp", oauth.idp.fetch_access_token(grant_type="refresh_token", refresh_token=mine()["refresh_token"]))
    return flask.redirect("/")


@site.get("/expired")
def expired():
    """As if five minutes had passed: Authlib renews the token before it uses it."""
    mine()["expires_at"] = 1
    return flask.redirect("/")


@site.get("/sign-out")
def sign_out():
    token = tokens.pop(flask.session.pop("sub"))
    return oauth.idp.logout_redirect(
        post_logout_redirect_uri=flask.url_for("signed_out", _external=True), id_token_hint=token["id_token"]
    )


@site.get("/signed-out")
def signed_out():
    oauth.idp.validate_logout_response()
    return "signed out"


@site.errorhandler(OAuthError)
def refused(error):
    return {"error": error.error, "error_description": error.description}, 502


site.run("127.0.0.1", int(sys.argv[1]), threaded=True)
