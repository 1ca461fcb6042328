"""A marketing copy's CPU beside that of others in the same run, as ratios: OpenDKIM signing alone, and Python's email package parsing
and writing the message anew with a footer (which signs nothing, and does not keep the bytes).

Usage: copies.py BENCH_COPIES [ROUNDS]

BENCH_COPIES is target/release/examples/bench_copies. Needs openssl and opendkim.
"""

import email
import email.policy
import pathlib
import resource
import subprocess
import sys
import tempfile
import time


def mail(size):
    words = "Neue Lampen für dunkle Tage, Tische aus Eiche und Stühle, auf denen man lange sitzt. "
    text = (words * (size // 6 // len(words) + 1))[: size // 6]
    rows = "".join(
        f'<tr><td><a href="https://shop.example/artikel/{n}?utm_source=news">Lampe {n}</a></td><td><img src="https://shop.example/{n}.png" width="200"></td></tr>\r\n'
        for n in range(size // 150)
    )
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = "Shop <news@shop.example>", "olivia@example.org", "Lampen"
    message["Date"], message["Message-ID"] = "Mon, 23 Nov 2026 08:00:00 +0000", "<1@shop.example>"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(f"<html><body><table>{rows}</table></body></html>", subtype="html", cte="quoted-printable")
    return message.as_bytes()[:]


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def python(raw, rounds):
    begin = time.process_time()
    for number in range(rounds):
        message = email.message_from_bytes(raw, policy=email.policy.SMTP)
        for part in message.walk():
            if part.get_content_maintype() == "text":
                subtype = part.get_content_subtype()
                part.set_content(part.get_content() + f"Unsubscribe: https://consent.example/u/{number}", subtype=subtype)
        message.as_bytes()
    return (time.process_time() - begin) / rounds * 1e6


def opendkim(raw, directory, rounds):
    """Its test mode signs the messages of files: one process for many copies of the message, minus one process for one."""
    path = directory / "mail.eml"
    path.write_bytes(raw)
    configuration = directory / "opendkim.conf"
    configuration.write_text(
        f"Mode s\nDomain shop.example\nSelector s1\nKeyFile {directory}/key.pem\nCanonicalization relaxed/relaxed\nSocket inet:0@127.0.0.1\nRequireSafeKeys no\nSyslog no\n"
    )
    spent = []
    for copies in (1, rounds):
        begin = children()
        subprocess.run(["opendkim", "-x", configuration, "-t", ",".join([str(path)] * copies)], check=True, capture_output=True)
        spent.append(children() - begin)
    return (spent[1] - spent[0]) / (rounds - 1) * 1e6


def main():
    bench, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        openssl = lambda *arguments, name: subprocess.run(["openssl", *arguments, "-out", directory / name], check=True, capture_output=True)
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", name="key.pem")
        openssl("genpkey", "-algorithm", "ed25519", name="ed.pem")
        for size in (10_240, 51_200):
            raw = mail(size)
            path = directory / "bench.eml"
            path.write_bytes(raw)
            ours = {}
            for keys in (["key.pem"], ["key.pem", "ed.pem"]):
                arguments = [bench, path, directory / keys[0], str(rounds), *(directory / key for key in keys[1:])]
                for line in subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.splitlines():
                    what, recipients, microseconds = line.split("\t")
                    ours[what + ("+ed25519" if len(keys) > 1 and "sign" in what else ""), int(recipients)] = float(microseconds)
            others = {"Python parse+write": python(raw, 200)}
            try:
                others["OpenDKIM sign"] = opendkim(raw, directory, 400)
            except (subprocess.CalledProcessError, FileNotFoundError) as error:
                print(f"OpenDKIM: {error}")
            print(f"{len(raw)} octets, CPU microseconds per copy")
            for name, value in others.items():
                print(f"  {name:28} {value:9.1f}")
            for (what, recipients), value in sorted(ours.items()):
                ratios = "  ".join(f"{value / other:.2f} x {name}" for name, other in others.items())
                print(f"  {what:22} {recipients:4}  {value:9.1f}  {ratios}")


main()
