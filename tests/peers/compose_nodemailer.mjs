// Composes and sends one mail with nodemailer, as a JavaScript shop does.
//
// Reads a JSON object (host, port, user, password, ca, from, to, subject, text), prints one (accepted, text).
// STARTTLS with a certificate that verifies, or nothing.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const nodemailer = createRequire(import.meta.url)(join(process.env.CONSENTRY_TEST_NODE_MODULES, "nodemailer"));

const job = JSON.parse(readFileSync(0, "utf8"));
const transport = nodemailer.createTransport({
  host: job.host,
  port: job.port,
  requireTLS: true,
  tls: { ca: readFileSync(job.ca) },
  auth: { user: job.user, pass: job.password },
});

try {
  const { from, to, subject, text } = job;
  const info = await transport.sendMail({ from, to, subject, text });
  console.log(JSON.stringify({ accepted: true, text: info.response }));
} catch (error) {
  console.log(JSON.stringify({ accepted: false, text: error.message }));
}
