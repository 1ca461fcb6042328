// Looks at pages as people do: in each language, on a phone and a desktop, light and dark. For each it tells what axe-core
// finds, what was fetched from where and how much, and whether the page is wider than the screen; and takes a picture.
//
// In:  { pages: [{ name, url, post?: BODY, blind?, click?: SELECTOR, open, fill }], languages, pictures: DIRECTORY, operator?: { name, password } }
//      post: the page that answers a button; blind: pressed without having looked; click: the page behind that control;
//      open: what is folded up there is opened before; fill: a reason is written there before
// Out: [{ page, language, screen, scheme, title, violations, hosts, octets, wider, unreachable }]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { axeSource, input, loggedIn, stampIn, withBrowser } from "./browser.mjs";

const SCREENS = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 900 } };

const { pages, languages, pictures } = input;
mkdirSync(pictures, { recursive: true });
const axe = axeSource();

const HEADERS = { "content-type": "application/x-www-form-urlencoded", "sec-fetch-user": "?1" };

// From now on the page answers a press of its button: by somebody who looked at it and was once too fast, or blindly.
async function press(page, url, post, blind) {
  let stamp = blind ? "" : stampIn(await page.goto(url).then(() => page.content()));
  await page.route(url, (route, request) => {
    const postData = `${post}&stamp=${stamp}`;
    return route.continue({ method: "POST", postData, headers: { ...request.headers(), ...HEADERS } });
  });
  if (!blind) stamp = stampIn(await page.goto(url).then(() => page.content()));
}

async function look(browser, storageState, { name, url, post, blind, click, open, fill }, language, screen, scheme) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    storageState,
    locale: language,
    viewport: SCREENS[screen],
    colorScheme: scheme,
    deviceScaleFactor: 1,
    hasTouch: screen === "phone",
    isMobile: screen === "phone",
  });
  const page = await context.newPage();
  const hosts = new Set();
  let octets = 0;
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  page.on("response", async (response) => {
    octets += (await response.body().catch(() => Buffer.alloc(0))).length;
  });
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (dialog) => errors.push(`a dialog: ${dialog.message()}`) && dialog.dismiss());
  if (post !== undefined) await press(page, url, post, blind);
  octets = 0;
  let response = await page.goto(url, { waitUntil: "load" });
  if (open) await page.locator(open).first().evaluate((details) => (details.open = true));
  if (fill) await page.locator(fill).first().fill("wrote a letter");
  if (click) [response] = await Promise.all([page.waitForNavigation(), page.locator(click).first().click()]);
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
        .filter((control) => control.checkVisibility() && !control.closest("[aria-hidden=true], .trap"))
        .filter((control) => control.getBoundingClientRect().height < 24)
        .map((control) => control.outerHTML.slice(0, 120)),
    ),
    errors,
  };
  await page.screenshot({ path: join(pictures, `${name}.${language}.${screen}.${scheme}.png`), fullPage: true });
  await context.close();
  return result;
}

// Every language, screen and taste; each pair of them at least once, or all together.
function looks(languages) {
  const all = languages.flatMap((language) =>
    Object.keys(SCREENS).flatMap((screen) => ["light", "dark"].map((scheme) => ({ language, screen, scheme }))),
  );
  const even = (look) => (languages.indexOf(look.language) + (look.screen === "phone") + (look.scheme === "dark")) % 2 === 0;
  return input.thorough ? all : all.filter(even);
}

await withBrowser(async (browser) => {
  const results = [];
  const state = input.operator && (await loggedIn(browser, input.operator));
  for (const page of pages)
    for (const { language, screen, scheme } of looks(page.languages ?? languages)) results.push(await look(browser, state, page, language, screen, scheme));
  return results;
});
