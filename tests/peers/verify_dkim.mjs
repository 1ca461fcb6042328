// Verifies the DKIM signatures of messages with mailauth, against one given DNS record.
//
// Usage: node verify_dkim.mjs DNS-NAME TXT-VALUE MESSAGE-FILE...
// Prints a line a signature, topmost first: result, d=, s=, h= (lower-case), separated by tabs; and an
// empty line behind each message. The network is never asked: any other name has no record.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// the modules stand elsewhere: the environment says where
const { dkimVerify } = createRequire(import.meta.url)(join(process.env.CONSENTRY_TEST_NODE_MODULES, "mailauth/lib/dkim/verify"));

const [name, record, ...paths] = process.argv.slice(2);

async function resolver(asked) {
  if (asked.toLowerCase() === name.toLowerCase()) return [[record]];
  throw Object.assign(new Error('no record'), { code: 'ENOTFOUND' });
}

// mailauth tells which fields it found; `h=` names more
function named(message) {
  const [header] = message.toString('latin1').split('\r\n\r\n', 1);
  const fields = header.replace(/\r\n(?=[ \t])/g, '').split('\r\n').filter((field) => /^dkim-signature[ \t]*:/i.test(field));
  return fields.map((field) => /[:;]\s*h\s*=([^;]*)/i.exec(field)?.[1].replace(/\s/g, '').toLowerCase() ?? '');
}

for (const path of paths) {
  const message = readFileSync(path);
  const { results } = await dkimVerify(message, { resolver });
  const names = named(message);
  results.filter(({ signingDomain }) => signingDomain).forEach(({ signingDomain, selector, status }, index) => {
    const result = status.result === 'pass' ? 'pass' : `fail: ${status.result} ${status.comment || ''}`.trim().replace(/\s+/g, ' ');
    console.log([result, signingDomain, selector, names[index]].join('\t'));
  });
  console.log('');
}
