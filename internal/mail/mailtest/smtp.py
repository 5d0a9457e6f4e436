# A mail server for tests (aiosmtpd): smtp.py FOLDER PORT. STARTTLS is required unless
# FOLDER has no cert.pem; mail is taken from idp with the password "letter box" only, and
# put into FOLDER, a file each. RCPT: refused@… is 550, later@… 451.
import asyncio, json, os, ssl, sys, time
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, port = sys.argv[1], int(sys.argv[2])
count = 0

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 no such user"
        if address.startswith("later@"):
            return "451 4.2.0 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global count
        count += 1
        name = os.path.join(folder, "%d-%d-%d.json" % (time.time_ns(), os.getpid(), count))
        with open(name + ".new", "w") as f:
            json.dump({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                       "login": session.auth_data or "", "text": envelope.content.decode("utf-8", "surrogateescape")}, f)
        os.rename(name + ".new", name)
        return "250 OK"

def login(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.login == b"idp" and data.password == b"letter box"
    return AuthResult(success=good, handled=False, auth_data="idp" if good else None)

options = {"hostname": "localhost"}
if os.path.exists(os.path.join(folder, "cert.pem")):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    options.update(tls_context=tls, require_starttls=True, authenticator=login, auth_required=True)

async def main():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Handler(), **options), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started it ends
    os._exit(0)

asyncio.run(main())
