"""Verifies the DKIM signatures of messages with dkimpy, against one given DNS record.

Usage: verify_dkim.py DNS-NAME TXT-VALUE MESSAGE-FILE...
Prints a line a signature, topmost first: result, d=, s=, h= (lower-case), separated by tabs; and an
empty line behind each message. The network is never asked: any other name has no record.
"""

import sys

import dkim


def verify(message, txt):
    fields = [value for field, value in dkim.DKIM(message).headers if field.lower() == b"dkim-signature"]
    for index, field in enumerate(fields):
        tags = dkim.util.parse_tag_value(field)
        try:
            passed, why = dkim.DKIM(message).verify(idx=index, dnsfunc=txt), "signature mismatch"
        except dkim.DKIMException as error:
            passed, why = False, str(error)
        names = b"".join(tags.get(b"h", b"").split()).lower()
        result = "pass" if passed else "fail: " + " ".join(why.split())
        print(result, tags.get(b"d", b"").decode(), tags.get(b"s", b"").decode(), names.decode(), sep="\t")


def main():
    name, record = sys.argv[1].lower().encode(), sys.argv[2].encode()

    def txt(asked, timeout=5):
        return record if asked.lower().rstrip(b".") == name else None

    for path in sys.argv[3:]:
        with open(path, "rb") as message:
            verify(message.read(), txt)
        print()


main()
