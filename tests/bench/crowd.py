#!/usr/bin/env python3
"""Many connections at the same time: what one costs the server in memory.

    crowd.py HOST PORT PID idle COUNT [tls]   greeted and said EHLO, nothing more
    crowd.py HOST PORT PID mail COUNT [tls]   each is in the middle of a message of 10 KiB

With `tls` under TLS from the first octet, whatever the certificate.

Clients connect from 127.0.0.0/8, so that limits per address do not stop them. Prints resident memory of process PID
before, with all connections, and after. Standard library only.
"""

import asyncio
import resource
import ssl
import sys

MESSAGE = b"From: a@x.example\r\nSubject: x\r\n\r\n" + b"x" * 76 + b"\r\n"


def resident(pid):
    """KiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


async def reply(reader):
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            return line


def tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def join(host, port, number, mail, context):
    local = f"127.{1 + number // 250 // 250}.{number // 250 % 250}.{1 + number % 250}"
    reader, writer = await asyncio.open_connection(host, port, local_addr=(local, 0), ssl=context)
    said = [await reply(reader)]
    lines = [b"EHLO crowd.example"]
    if mail:
        lines += [b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>", b"DATA"]
    for line in lines:
        writer.write(line + b"\r\n")
        said.append(await reply(reader))
    if any(line[:1] not in b"23" for line in said):
        raise SystemExit(f"connection {number}: {said}")
    if mail:
        writer.write(MESSAGE + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * 128)
        await writer.drain()
    return reader, writer


async def main(host, port, pid, what, count, context):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    before = resident(pid)
    guests = []
    for start in range(0, count, 100):
        numbers = range(start, min(start + 100, count))
        guests += await asyncio.gather(*(join(host, port, number, what == "mail", context) for number in numbers))
    await asyncio.sleep(3)  # idle connections give their buffers back after a second
    during = resident(pid)
    each = (during - before) / count
    print(f"{what}: {count} connections, resident {before} KiB before, {during} KiB with them, {each:.1f} KiB each")
    for _, writer in guests:
        writer.close()
    await asyncio.sleep(1)
    print(f"{what}: {resident(pid)} KiB after")


if __name__ == "__main__":
    host, port, pid, what, count, *more = sys.argv[1:]
    asyncio.run(main(host, int(port), int(pid), what, int(count), tls() if more == ["tls"] else None))
