"""A site that logs people in with Authlib, in the way of its manual for Flask.

authlib_site.py PORT [CERTIFICATE KEY], with sso.py, which docs/interoperability.md
holds, in its path. Its pages say as JSON what it knows."""

import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

import flask
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oidc.core import CodeIDToken
from sso import oauth

site = flask.Flask(__name__)
site.secret_key = "of one run"
site.config.from_prefixed_env()  # such as FLASK_SESSION_COOKIE_SAMESITE
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


@site.get("/pushed")
def pushed():
    """Push the request first (RFC 9126), which Authlib leaves to the site."""
    idp, answer = oauth.idp.load_server_metadata(), flask.url_for("callback", _external=True)
    asked = oauth.idp.create_authorization_url(answer)
    oauth.idp.save_authorize_data(redirect_uri=answer, **asked)
    with session() as s:
        push = s.post(
            idp["pushed_authorization_request_endpoint"],
            data=dict(parse_qsl(urlsplit(asked["url"]).query)),
            auth=s.client_auth(s.token_endpoint_auth_method),
        ).json()
    query = {"client_id": oauth.idp.client_id, "request_uri": push["request_uri"]}
    return flask.redirect(idp["authorization_endpoint"] + "?" + urlencode(query))


def session():
    """The client itself, for what concerns no visitor."""
    s = OAuth2Session(oauth.idp.client_id, oauth.idp.client_secret, **oauth.idp.client_kwargs)
    for method in oauth.idp.client_auth_methods or ():
        s.register_client_auth_method(method)
    return s


@site.route("/callback", methods=["GET", "POST"])
def callback():
    if "error" in flask.request.form:  # of form_post; Authlib 1.9.10 looks into the query only
        raise OAuthError(flask.request.form["error"], flask.request.form.get("error_description"))
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


@site.get("/posted")
def posted():
    """Ask userinfo by POST."""
    idp = oauth.idp.load_server_metadata()
    return {"userinfo": oauth.idp.post(idp["userinfo_endpoint"], token=mine()).json(), "id_token": mine()["id_token"]}


@site.get("/revoke")
def revoke():
    """Ask about the refresh token, give it back, and ask again."""
    idp, token = oauth.idp.load_server_metadata(), mine()["refresh_token"]
    with session() as s:
        before = s.introspect_token(idp["introspection_endpoint"], token=token).json()
        s.revoke_token(idp["revocation_endpoint"], token=token)
        after = s.introspect_token(idp["introspection_endpoint"], token=token).json()
    return {"before": before, "after": after}


@site.get("/itself")
def itself():
    """A token for nobody, and what idp says about it."""
    idp = oauth.idp.load_server_metadata()
    with session() as s:
        token = s.fetch_token(idp["token_endpoint"], grant_type="client_credentials")
        return s.introspect_token(idp["introspection_endpoint"], token=token["access_token"]).json()


@site.get("/asserted")
def asserted():
    """The same for a JWT that the site signs as its grant (RFC 7523)."""
    idp, me = oauth.idp.load_server_metadata(), oauth.idp.client_id
    key = {"key": oauth.idp.client_secret, "header": {"alg": "ES256"}}
    with AssertionSession(idp["token_endpoint"], me, me, audience=idp["issuer"], **key) as s:
        token = s.refresh_token()
    with session() as s:
        return s.introspect_token(idp["introspection_endpoint"], token=token["access_token"]).json()


class LogoutToken(CodeIDToken):
    """What idp posts when somebody's session has ended (Back-Channel Logout §2.4);
    Authlib checks signature, times, issuer and the rest of an ID token."""

    def validate(self, now=None, leeway=0):
        super().validate(now, leeway)
        event = self.get("events", {}).get("http://schemas.openid.net/event/backchannel-logout")
        if event is None or "nonce" in self or self["aud"] != oauth.idp.client_id:
            raise OAuthError("invalid_request")


@site.post("/ended")
def ended():
    token = oauth.idp.parse_id_token({"id_token": flask.request.form["logout_token"]}, None, claims_cls=LogoutToken)
    tokens.pop(token["sub"], None)
    return "", 204


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


site.run("127.0.0.1", int(sys.argv[1]), threaded=True, ssl_context=tuple(sys.argv[2:]) or None)
