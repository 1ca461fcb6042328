// Watches the decision log while a mail comes in: the row appears by itself.
//
// In:  { operator: { name, password }, smtp: { host, port, user, pass }, mail: { from, to, subject } }
// Out: { reply: what the sender was told, row: the text of the row that came }
import { createRequire } from "node:module";
import { join } from "node:path";
import { input, loggedIn, withBrowser } from "./browser.mjs";

const nodemailer = createRequire(import.meta.url)(join(process.env.CONSENTRY_TEST_NODE_MODULES, "nodemailer"));

await withBrowser(async (browser) => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, storageState: await loggedIn(browser, input.operator) });
  const page = await context.newPage();
  await page.goto(`https://${input.host}/admin/decisions`);
  const before = await page.locator("#rows tr").count();
  const { host, port, user, pass } = input.smtp;
  const transport = nodemailer.createTransport({ host, port, auth: { user, pass }, ignoreTLS: true });
  const reply = await transport.sendMail({ ...input.mail, text: "Hello" }).catch((error) => error.response);
  await page.waitForFunction((before) => document.querySelectorAll("#rows tr").length > before, before);
  return { reply, row: await page.locator("#rows tr").first().innerText() };
});
