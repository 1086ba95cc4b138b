"""What notices are posted to, for tests: HTTPS by Python's own library. Takes one JSON argument, and writes a line of JSON
for each request to a file. The first part of a path says how it answers."""

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading
import urllib.parse

asked = json.loads(sys.argv[1])
lock = threading.Lock()

PEOPLE = {"bob@example.com": "U012A3CDE"}


def verified(headers, body):
    """Whether a signature is the one of Standard Webhooks, by their text alone."""
    key = base64.b64decode(asked["secret"].removeprefix("whsec_"))
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(wanted, headers["webhook-signature"])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say(self, value, status=200, headers=()):
        self.answer(status, json.dumps(value).encode(), [("content-type", "application/json"), *headers])

    def slack(self, method, query, body):
        # As https://api.slack.com/methods shows requests and answers.
        token = self.headers.get("authorization", "")
        if token == "Bearer xoxb-busy":
            return self.say({"ok": False, "error": "ratelimited"}, 429, [("retry-after", "30")])
        if token == "Bearer xoxb-broken":
            return self.say({"ok": False, "error": "internal_error"})
        if token == "Bearer xoxb-odd":
            return self.say({"ok": True, "user": {"id": "../../etc"}})
        if token != "Bearer xoxb-good":
            return self.say({"ok": False, "error": "invalid_auth"})
        if method == "users.lookupByEmail":
            person = PEOPLE.get(query.get("email", [""])[0])
            if person is None:
                return self.say({"ok": False, "error": "users_not_found"})
            return self.say({"ok": True, "user": {"id": person, "team_id": "T012AB3C4", "deleted": False}})
        if method == "chat.postMessage" and json.loads(body)["channel"] in PEOPLE.values():
            return self.say({"ok": True, "channel": "D024BE91L", "ts": "1503435956.000247"})
        return self.say({"ok": False, "error": "channel_not_found"})

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        url = urllib.parse.urlsplit(self.path)
        line = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode(),
            "verified": "webhook-signature" in self.headers and verified(self.headers, body),
        }
        with lock, open(asked["file"], "a") as file:
            file.write(json.dumps(line) + "\n")
        how = url.path.split("/")[1]
        if how == "api":
            self.slack(url.path.split("/")[2], urllib.parse.parse_qs(url.query), body)
        elif how == "ok":
            self.answer(204)
        elif how == "moved":
            self.answer(307, headers=[("location", "/ok")])
        elif how == "busy":
            self.answer(429, b"slow \x1b[31mdown", [("retry-after", "7")])
        elif how == "long":
            self.answer(400, b"x" * 1_000_000)
        elif how == "never":
            threading.Event().wait()
        else:
            self.answer(404, b"no_service")

    do_GET = do_POST = handle_one

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(asked["certificate"], asked["key"])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
