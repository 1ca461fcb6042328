"""Compares messages with their copies, as Python's email package reads them.

Usage: compare_copies.py DIRECTORY LINK < NAMES
Each name on standard input stands for NAME.before and NAME.after in the directory. Prints a line for everything that is wrong: a
defect that the message has not, a part that came or went, one whose content is another, a link more than once in a part.
"""

import email
import pathlib
import sys


def defects(message):
    return sorted(type(defect).__name__ for part in message.walk() for defect in part.defects)


def content(part):
    try:
        return part.get_payload(decode=True)
    except Exception as error:  # what cannot be decoded must not change how
        return repr(type(error))


def squeezed(octets):
    return b"".join(octets.split()).replace(b"\x00", b"")


def faults(before, after, link):
    new = defects(after)
    for defect in defects(before):
        if defect in new:
            new.remove(defect)
    if new:
        yield f"new defects {new}"
    old, now = list(before.walk()), list(after.walk())
    if [part.get_content_type() for part in old] != [part.get_content_type() for part in now]:
        yield "another structure"
        return
    for number, (one, other) in enumerate(zip(old, now)):
        if one.is_multipart() or one.get_content_maintype() == "multipart":
            continue
        a, b = content(one), content(other)
        # what cannot be decoded each program reads in its own way; decoding finds that out
        if any(type(defect).__name__.startswith("InvalidBase64") for defect in one.defects):
            continue
        if a == b:
            continue
        if one.get_content_maintype() != "text" or not isinstance(a, bytes) or not isinstance(b, bytes):
            yield f"part {number} ({one.get_content_type()}) changed"
            continue
        text, was = squeezed(b), squeezed(a)
        if text.count(link) - was.count(link) != 1:
            yield f"part {number} has the link {text.count(link)} times"
        # what was there is there, around what was put in
        head = next((at for at, (x, y) in enumerate(zip(was, text)) if x != y), min(len(was), len(text)))
        tail = next((at for at, (x, y) in enumerate(zip(reversed(was), reversed(text))) if x != y), min(len(was), len(text)))
        if head + tail < len(was):
            yield f"part {number} lost something"


def main():
    directory, link = pathlib.Path(sys.argv[1]), sys.argv[2].encode()
    for name in sys.stdin.read().split():
        before, after = (email.message_from_bytes((directory / f"{name}.{kind}").read_bytes()) for kind in ("before", "after"))
        for fault in faults(before, after, link):
            print(f"{name}: {fault}")


main()
