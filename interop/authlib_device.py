"""A program without a browser: it gets tokens by a code that a person allows (RFC
8628), with Authlib's client.

authlib_device.py ISSUER CLIENT_ID SCOPE says, as a line of JSON each, where the
person is to go, and what came of it."""

import json
import sys
import time

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

issuer, client_id, scope = sys.argv[1:]
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def tell(what):
    print(json.dumps(what), flush=True)


idp = requests.get(issuer + "/.well-known/openid-configuration", timeout=10).json()
device = requests.post(
    idp["device_authorization_endpoint"], data={"client_id": client_id, "scope": scope}, timeout=10
).json()
tell(device)
session = OAuth2Session(client_id, token_endpoint_auth_method="none")
while True:
    time.sleep(device["interval"])
    try:
        token = session.fetch_token(idp["token_endpoint"], grant_type=GRANT, device_code=device["device_code"])
    except OAuthError as error:
        if error.error != "authorization_pending":
            tell({"error": error.error})
            break
    else:
        tell({**token, "userinfo": session.get(idp["userinfo_endpoint"]).json()})
        break
