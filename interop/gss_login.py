"""Log in at URL with MIT's GSS-API, as a program does that knows about channel
binding (RFC 5929) and delegation. Prints what came of it as JSON.

gss_login.py URL CA [right|wrong|none] [--hash sha256] [--delegate]

CA is a PEM file that vouches for the server, or - for plain HTTP."""

import argparse
import base64
import hashlib
import http.client
import json
import socket
import ssl
import sys
from urllib.parse import urlsplit

import gssapi
from gssapi.raw import ChannelBindings

parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("ca")
parser.add_argument("binding", nargs="?", default="none")
parser.add_argument("--hash", default="sha256")
parser.add_argument("--delegate", action="store_true")
args = parser.parse_args()

url = urlsplit(args.url)
# Names below localhost are this machine (RFC 6761), whatever DNS says.
raw = socket.create_connection(("127.0.0.1", url.port))
certificate = b""
if args.ca != "-":
    raw = ssl.create_default_context(cafile=args.ca).wrap_socket(raw, server_hostname=url.hostname)
    certificate = raw.getpeercert(binary_form=True)

bindings = None
if args.binding != "none":
    if args.binding == "wrong":  # as a thief's own server would show
        certificate += b"of somebody else"
    digest = hashlib.new(args.hash, certificate).digest()
    bindings = ChannelBindings(application_data=b"tls-server-end-point:" + digest)

flags = [gssapi.RequirementFlag.mutual_authentication]
if args.delegate:
    flags.append(gssapi.RequirementFlag.delegate_to_peer)
context = gssapi.SecurityContext(
    name=gssapi.Name("HTTP@" + url.hostname, gssapi.NameType.hostbased_service),
    mech=gssapi.OID.from_int_seq("1.3.6.1.5.5.2"),  # SPNEGO
    flags=flags,
    channel_bindings=bindings,
    usage="initiate",
)
token = context.step()

connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
connection.sock = raw
connection.request("GET", url.path, headers={"Authorization": "Negotiate " + base64.b64encode(token).decode()})
response = connection.getresponse()
answer = response.getheader("WWW-Authenticate", "")
if answer.startswith("Negotiate ") and response.status != 401:
    context.step(base64.b64decode(answer[len("Negotiate ") :]))  # raises when the server is not genuine
json.dump(
    {
        "status": response.status,
        "location": response.getheader("Location", ""),
        "server": context.complete,
        "delegated": gssapi.RequirementFlag.delegate_to_peer in context.actual_flags,
        "size": len(token),
    },
    sys.stdout,
)
