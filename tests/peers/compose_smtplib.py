"""Composes and sends one mail with Python's own library, as an in-house script does.

Reads a JSON object (host, port, user, password, ca, from, to, subject, text), prints one (accepted, text).
STARTTLS with a certificate that verifies, or nothing.
"""

import email.message
import email.utils
import json
import smtplib
import ssl
import sys

job = json.load(sys.stdin)
mail = email.message.EmailMessage()
mail["From"], mail["To"], mail["Subject"] = job["from"], ", ".join(job["to"]), job["subject"]
mail["Date"], mail["Message-ID"] = email.utils.localtime(), email.utils.make_msgid(domain="acme.example")
mail.set_content(job["text"])


def answer(accepted, text):
    print(json.dumps({"accepted": accepted, "text": text}))


try:
    with smtplib.SMTP(job["host"], job["port"], timeout=60) as client:
        client.starttls(context=ssl.create_default_context(cafile=job["ca"]))
        client.login(job["user"], job["password"])
        client.send_message(mail)
        answer(True, "")
except (smtplib.SMTPException, OSError) as error:
    answer(False, str(error))
