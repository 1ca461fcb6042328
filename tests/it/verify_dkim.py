"""Verifies the DKIM signature of messages with dkimpy, offline.

Arguments: a file with the record's name and value, one a line, then message files.
Prints one word for each message: pass or fail.
"""

import sys

import dkim

name, record = open(sys.argv[1], encoding="ascii").read().splitlines()


def dns(query, timeout=5):
    return record.encode() if query.decode().rstrip(".") == name else None


for path in sys.argv[2:]:
    with open(path, "rb") as message:
        try:
            verified = dkim.verify(message.read(), dnsfunc=dns)
        except dkim.DKIMException:
            verified = False
    print("pass" if verified else "fail")
