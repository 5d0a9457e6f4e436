"""Log in with MIT's SPNEGO, offering NTLM before Kerberos as Windows offers
NEGOEX: the first token is for a mechanism that idp does not take, the next legs
are Kerberos (RFC 4178 §4.2.2, §5). The mechanisms' order can be set in C only, so
this speaks to the library by ctypes. Needs gss-ntlmssp and NTLM_USER_FILE for the
NTLM credential, and KRB5CCNAME for the ticket.

usage: gss_second_choice.py ISSUER HOST [URL OF ANOTHER NODE]

Starts at ISSUER/account and prints a JSON list of the answers; every other leg
goes to the other node."""

import base64
import ctypes
import http.cookiejar
import json
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

gss = ctypes.CDLL("libgssapi_krb5.so.2")


class Buffer(ctypes.Structure):
    _fields_ = [("length", ctypes.c_size_t), ("value", ctypes.c_void_p)]

    def bytes(self):
        return ctypes.string_at(self.value, self.length) if self.length else b""


class OID(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint32), ("elements", ctypes.c_char_p)]


class OIDSet(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("elements", ctypes.POINTER(OID))]


def oid(hexadecimal):
    body = bytes.fromhex(hexadecimal)
    return OID(len(body), body)


def oids(*members):
    return OIDSet(len(members), (OID * len(members))(*members))


SPNEGO = oid("2b0601050502")
KRB5 = oid("2a864886f712010202")
NTLM = oid("2b06010401823702020a")
HOST_BASED = oid("2a864886f71201020104")
INITIATE, MUTUAL = 1, 2
by = ctypes.byref


def call(function, *args):
    """Call a GSS-API function; its error is an exception. Returns the major status."""
    minor = ctypes.c_uint32()
    major = getattr(gss, function)(by(minor), *args)
    if major & 0xFFFF0000:
        text, context, ignored = Buffer(), ctypes.c_uint32(), ctypes.c_uint32()
        gss.gss_display_status(by(ignored), minor, 2, None, by(context), by(text))
        raise RuntimeError(f"{function}: {major & 0xFFFFFFFF:#x}: {text.bytes().decode()}")
    return major


def buffer(data):
    return Buffer(len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p))


class Initiator:
    """A security context of NTLM before Kerberos towards HTTP@host."""

    def __init__(self, host):
        self.name, self.credential, self.context = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self.done = False
        call("gss_import_name", by(buffer(b"HTTP@" + host.encode())), by(HOST_BASED), by(self.name))
        call("gss_acquire_cred", None, 0xFFFFFFFF, by(oids(SPNEGO)), INITIATE, by(self.credential), None, None)
        call("gss_set_neg_mechs", self.credential, by(oids(NTLM, KRB5)))

    def step(self, token):
        out, given = Buffer(), buffer(token) if token else None
        major = call(
            "gss_init_sec_context", self.credential, by(self.context), self.name, by(SPNEGO), MUTUAL, 0, None,
            by(given) if given else None, None, by(out), None, None,
        )  # fmt: skip
        self.done = major == 0
        return out.bytes()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


resolve = socket.getaddrinfo


def loopback(host, *args, **kwargs):
    """Names below localhost are this machine (RFC 6761), whatever DNS says."""
    return resolve("127.0.0.1" if host.endswith(".localhost") else host, *args, **kwargs)


socket.getaddrinfo = loopback
opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def get(url, token=b""):
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", "Negotiate " + base64.b64encode(token).decode())
    try:
        response = opener.open(request, timeout=30)
    except urllib.error.HTTPError as error:
        response = error
    offers = response.headers.get_all("WWW-Authenticate") or []
    return {
        "status": response.status,
        "location": response.headers.get("Location", ""),
        "offers": [offer.split(" ")[0] for offer in offers],
        "token": next((base64.b64decode(offer[10:]) for offer in offers if offer.startswith("Negotiate ")), b""),
        "page": "<form" in response.read().decode(),
    }


issuer, host = sys.argv[1], sys.argv[2]
other = sys.argv[3] if len(sys.argv) > 3 else issuer
answers = [get(issuer + "/account")]
path = urllib.parse.urlsplit(answers[0]["location"])
target = path.path + "?" + path.query
initiator, token = Initiator(host), b""
for leg in range(6):
    token = initiator.step(token)
    if not token:
        break
    answer = get((other if leg % 2 else issuer) + target, token)
    answers.append(answer)
    token = answer["token"]
    if answer["status"] != 401 or not token:
        if token and not initiator.done:
            initiator.step(token)
        break
json.dump({"answers": [{k: v for k, v in a.items() if k != "token"} for a in answers], "verified": initiator.done}, sys.stdout)
