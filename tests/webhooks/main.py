"""Runs verify_webhook of the guide over the cases on standard input (README.md)."""
import base64
import sys

from snippet import verify_webhook


def read(field):
    return None if field == "-" else base64.b64decode(field)


for line in sys.stdin:
    keys, message_id, timestamp, signature, body, now = map(read, line.rstrip("\n").split(" "))
    names = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    headers = {name: value.decode("latin-1") for name, value in names.items() if value is not None}
    right = verify_webhook(keys.decode().split(","), headers, body, int(now))
    print("true" if right is True else "false" if right is False else repr(right))
