// Looks at pages as people do: in each language, on a phone and a desktop, light and dark. For each it tells what axe-core
// finds, what was fetched from where and how much, and whether the page is wider than the screen; and takes a picture.
//
// In:  { pages: [{ name, url, post?: BODY, blind?, cookies? }], languages, pictures: DIRECTORY }   post: the page that answers a button
//                                                                                         blind: pressed without having looked
// Out: [{ page, language, screen, scheme, title, violations, hosts, octets, wider, unreachable }]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { axeSource, input, withBrowser } from "./browser.mjs";

const SCREENS = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 900 } };

const { pages, languages, pictures } = input();
mkdirSync(pictures, { recursive: true });
const axe = axeSource();

const HEADERS = { "content-type": "application/x-www-form-urlencoded", "sec-fetch-user": "?1" };
const stampIn = (html) => /name="stamp" value="([^"]*)"/.exec(html)?.[1] ?? "";

// The stamp of a page that was looked at, and whose button was pressed once too fast.
async function stampOf(request, url, post) {
  const first = stampIn(await (await request.get(url)).text());
  const again = await request.post(url, { headers: HEADERS, data: `${post}&stamp=${first}` });
  return stampIn(await again.text());
}

async function look(browser, { name, url, post, blind, cookies }, language, screen, scheme) {
  const context = await browser.newContext({
    locale: language,
    viewport: SCREENS[screen],
    colorScheme: scheme,
    deviceScaleFactor: 1,
    hasTouch: screen === "phone",
    isMobile: screen === "phone",
  });
  if (cookies) await context.addCookies(cookies);
  const page = await context.newPage();
  const hosts = new Set();
  let octets = 0;
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  page.on("response", async (response) => {
    octets += (await response.body().catch(() => Buffer.alloc(0))).length;
  });
  if (post !== undefined) {
    const postData = blind ? post : `${post}&stamp=${await stampOf(context.request, url, post)}`;
    await page.route(url, (route, request) => route.continue({ method: "POST", postData, headers: { ...request.headers(), ...HEADERS } }));
  }
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  const response = await page.goto(url, { waitUntil: "load" });
  await page.evaluate(axe); // by the debugger: no CSP is loosened for it
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const result = {
    page: name,
    language,
    screen,
    scheme,
    status: response.status(),
    title: await page.title(),
    violations: found.violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" | ")}`),
    hosts: [...hosts],
    octets,
    wider: await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
    small: await page.evaluate(() =>
      [...document.querySelectorAll("button, input[type=email], input[type=text], select")]
        .filter((control) => control.getClientRects().length > 0 && !control.closest("[aria-hidden=true], .trap"))
        .filter((control) => control.getBoundingClientRect().height < 24)
        .map((control) => control.outerHTML.slice(0, 120)),
    ),
    errors,
  };
  await page.screenshot({ path: join(pictures, `${name}.${language}.${screen}.${scheme}.png`), fullPage: true });
  await context.close();
  return result;
}

await withBrowser(async (browser) => {
  const results = [];
  for (const page of pages)
    for (const language of page.languages ?? languages)
      for (const screen of Object.keys(SCREENS))
        for (const scheme of ["light", "dark"]) results.push(await look(browser, page, language, screen, scheme));
  return results;
});
