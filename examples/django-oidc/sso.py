"""What concerns idp. The package knows no discovery, so this asks."""

import os
from pathlib import Path

import requests

URL = os.environ["URL"]
provider = requests.get(os.environ["ISSUER"] + "/.well-known/openid-configuration", timeout=10).json()
OIDC_OP_AUTHORIZATION_ENDPOINT = provider["authorization_endpoint"]
OIDC_OP_TOKEN_ENDPOINT = provider["token_endpoint"]
OIDC_OP_USER_ENDPOINT = provider["userinfo_endpoint"]
OIDC_OP_JWKS_ENDPOINT = provider["jwks_uri"]
OIDC_RP_CLIENT_ID = os.environ["CLIENT_ID"]
OIDC_RP_CLIENT_SECRET = Path(os.environ["CLIENT_SECRET_FILE"]).read_text().strip()
OIDC_RP_SCOPES = "openid profile email groups"
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_USE_PKCE = True
OIDC_STORE_ID_TOKEN = True  # for signing out at idp, too
OIDC_OP_LOGOUT_URL_METHOD = "sso.logout_url"
LOGOUT_REDIRECT_URL = URL + "/"


def logout_url(request):
    hint = {"id_token_hint": request.session["oidc_id_token"], "post_logout_redirect_uri": LOGOUT_REDIRECT_URL}
    return provider["end_session_endpoint"] + "?" + requests.compat.urlencode(hint)
