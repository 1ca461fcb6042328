"""Sends one message with Python's smtplib, as an in-house newsletter script does.

Reads a JSON object (eml, from, to, host, port, user, password, starttls), prints one
(accepted, code, text). The message goes out as it is in the file.
"""

import json
import pathlib
import smtplib
import ssl
import sys


class Client(smtplib.SMTP):
    """smtplib keeps the reply to the message for itself; this one remembers it."""

    def data(self, msg):
        self.reply = super().data(msg)
        return self.reply


def send(job):
    message = pathlib.Path(job["eml"]).read_bytes()
    with Client(job["host"], job["port"], local_hostname="ma.example", timeout=60) as client:
        if job["starttls"]:
            # A throw-away certificate of the test.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client.starttls(context=context)
        if job["user"] is not None:
            client.login(job["user"], job["password"])
        client.ehlo_or_helo_if_needed()
        eight_bit = not message.isascii() and client.has_extn("8bitmime")
        client.sendmail(job["from"], [job["to"]], message, ["BODY=8BITMIME"] if eight_bit else [])
        return client.reply


def answer(accepted, code, text):
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    print(json.dumps({"accepted": accepted, "code": code, "text": text}))


try:
    answer(True, *send(json.load(sys.stdin)))
except smtplib.SMTPRecipientsRefused as error:
    [(code, text)] = error.recipients.values()
    answer(False, code, text)
except smtplib.SMTPResponseException as error:
    answer(False, error.smtp_code if error.smtp_code > 0 else None, error.smtp_error)
except (smtplib.SMTPException, OSError) as error:
    answer(False, None, str(error))
