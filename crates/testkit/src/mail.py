"""A mail server for tests: Debian's aiosmtpd. Takes one JSON argument, and writes a line of JSON for each try to a file."""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

asked = json.loads(sys.argv[1])


class Handler:
    def __init__(self):
        self.later = asked["later"]

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        taken = self.later == 0
        self.later -= 0 if taken else 1
        line = {
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "data": envelope.content.decode("utf-8", "replace"),
            "tls": session.ssl is not None or asked["tls"] == "implicit",
            "login": (session.auth_data or {}).get("login"),
            "taken": taken,
        }
        with open(asked["file"], "a") as file:
            file.write(json.dumps(line) + "\n")
        return "250 OK" if taken else "451 4.3.0 not now"


def authenticate(server, session, envelope, mechanism, data):
    login, password = data.login.decode(), data.password.decode()
    good = password == asked["password"]
    # What isn't handled here is answered by the server: 535.
    return AuthResult(success=good, handled=False, auth_data={"login": login})


def protocol():
    options = {"hostname": "localhost", "enable_SMTPUTF8": False}
    if asked["tls"] == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if asked["password"]:
        # Over implicit TLS, aiosmtpd doesn't know that there is TLS.
        options |= {
            "auth_required": True,
            "authenticator": authenticate,
            "auth_require_tls": asked["tls"] == "starttls",
        }
    return SMTP(handler, **options)


async def serve():
    implicit = context if asked["tls"] == "implicit" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", asked["port"], ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


handler = Handler()
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(asked["certificate"], asked["key"])
asyncio.run(serve())
