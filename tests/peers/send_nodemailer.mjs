// Sends one message with nodemailer, as a JavaScript shop does.
//
// Reads a JSON object (eml, from, to, host, port, user, password, starttls), prints one
// (accepted, code, text). The message goes out as it is in the file.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const nodemailer = createRequire(import.meta.url)(join(process.env.CONSENTRY_TEST_NODE_MODULES, "nodemailer"));

const job = JSON.parse(readFileSync(0, "utf8"));
const transport = nodemailer.createTransport({
  name: "ma.example",
  host: job.host,
  port: job.port,
  secure: false,
  ignoreTLS: !job.starttls,
  requireTLS: job.starttls,
  tls: { rejectUnauthorized: false }, // a throw-away certificate of the test
  auth: job.user === null ? undefined : { user: job.user, pass: job.password },
});

const answer = (accepted, reply, fallback) => {
  const [, code, text] = /^(\d{3})[ -]?(.*)$/s.exec(reply ?? "") ?? [];
  console.log(JSON.stringify({ accepted, code: code ? Number(code) : null, text: text ?? fallback }));
};

try {
  const info = await transport.sendMail({ envelope: { from: job.from, to: [job.to] }, raw: readFileSync(job.eml) });
  answer(true, info.response, "");
} catch (error) {
  answer(false, error.response, error.message);
}
