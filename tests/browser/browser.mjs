// A real Chromium, Debian's own, and what every script here needs: its input from standard input, its answer to
// standard output, both JSON.
import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const modules = createRequire(import.meta.url);
const installed = (name) => join(process.env.CONSENTRY_TEST_NODE_MODULES, name);
const { chromium } = modules(installed("playwright-core"));

export const axeSource = () => readFileSync(installed("axe-core/axe.min.js"), "utf8");

export const input = () => JSON.parse(readFileSync(0, "utf8"));

export async function withBrowser(work) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  try {
    console.log(JSON.stringify(await work(browser)));
  } finally {
    await browser.close();
  }
}
