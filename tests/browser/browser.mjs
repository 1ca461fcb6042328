// A real Chromium, Debian's own, in front of a gateway as people meet it: by its public name, over TLS, behind a reverse
// proxy (which is here). Input comes from standard input, the answer goes to standard output, both JSON.
//
// In, for every script: { gateway: HOST:PORT, host: PUBLIC NAME, certificate: FILE, key: FILE, ... }
import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const modules = createRequire(import.meta.url);
const installed = (name) => join(process.env.CONSENTRY_TEST_NODE_MODULES, name);
const { chromium } = modules(installed("playwright-core"));

export const axeSource = () => readFileSync(installed("axe-core/axe.min.js"), "utf8");

export const input = JSON.parse(readFileSync(0, "utf8"));

// A stamp says that a page was shown, and when.
export const stampIn = (html) => /name="stamp" value="([^"]*)"/.exec(html)?.[1] ?? "";

// Logs an operator in; what the browser then keeps, for contexts that begin inside.
export async function loggedIn(browser, { name, password }) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(`https://${input.host}/admin/login`);
  await page.fill("input[name=name]", name);
  await page.fill("input[name=password]", password);
  await Promise.all([page.waitForURL(/\/admin$/), page.locator("main button").click()]);
  const state = await context.storageState();
  await context.close();
  return state;
}

// The reverse proxy: ends TLS, says where a request came from, changes nothing else.
function proxy() {
  const [host, port] = input.gateway.split(":");
  const options = { cert: readFileSync(input.certificate), key: readFileSync(input.key) };
  const server = https.createServer(options, (request, response) => {
    const headers = { ...request.headers, "x-forwarded-for": "198.51.100.20" };
    const onward = http.request({ host, port, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

export async function withBrowser(work) {
  const server = await proxy();
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-quic",
      "--no-first-run",
      `--host-resolver-rules=MAP ${input.host} 127.0.0.1:${server.address().port}`,
    ],
  });
  try {
    console.log(JSON.stringify(await work(browser)));
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}
