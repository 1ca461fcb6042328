// Opens a page in a real Chromium with scripts switched off, presses the button with the given text, and tells what
// the person then sees, as JSON: { before, after, hosts }. Usage: press.mjs URL BUTTON
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(import.meta.url)(join(process.env.CONSENTRY_TEST_NODE_MODULES, "playwright-core"));

const [url, button] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  const hosts = new Set();
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(url);
  const before = await page.locator("h1").innerText();
  const press = () => page.getByRole("button", { name: button, exact: true }).click();
  await press();
  if (await page.getByRole("alert").count()) await press(); // nobody reads that fast: the page asks once more
  const after = await page.locator("h1").innerText();
  console.log(JSON.stringify({ before, after, hosts: [...hosts] }));
} finally {
  await browser.close();
}
