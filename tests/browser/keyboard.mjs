// Goes through pages with the keyboard alone and with scripts switched off: Tab to what is wanted, type, space, Enter.
// Every place the focus stops at must be visible.
//
// In:  { url, steps: [{ tabTo: NAME, type?: TEXT, press?: KEY }], scripts?: BOOL, language?, operator?: { name, password } }   NAME: the control's accessible name
// Out: { headings: [before, after], visited: [after each Enter], unseen: [controls whose focus cannot be seen] }
import { input, loggedIn, withBrowser } from "./browser.mjs";

const MOST = 60;
const { url, steps, scripts = false, language = "de", operator } = input;

// The accessible name, as far as these pages need it.
const nameOfFocus = () => {
  const control = document.activeElement;
  if (!control || control === document.body) return "";
  const labels = control.labels ? [...control.labels].map((label) => label.textContent).join(" ") : "";
  return (control.getAttribute("aria-label") || labels || control.textContent || control.value || "").replace(/\s+/g, " ").trim();
};
const isSeen = () => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
};

await withBrowser(async (browser) => {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    storageState: operator && (await loggedIn(browser, operator)),
    javaScriptEnabled: scripts,
    locale: language,
    viewport: { width: 1280, height: 900 },
  });
  const page = await context.newPage();
  const hosts = new Set();
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(url);
  const headings = [await page.locator("h1").innerText()];
  const unseen = [];
  const visited = [];
  const go = async () => {
    for (const { tabTo, type, press } of steps) {
      let name = await page.evaluate(nameOfFocus);
      for (let n = 0; n < MOST && !name.startsWith(tabTo); n++) {
        await page.keyboard.press("Tab");
        name = await page.evaluate(nameOfFocus);
        if (name && !(await page.evaluate(isSeen))) unseen.push(name);
      }
      if (!name.startsWith(tabTo)) throw new Error(`the focus never came to ${tabTo}; it is on ${name}`);
      if (type) {
        await page.keyboard.press("Control+A");
        await page.keyboard.type(type);
      }
      if (press === "Enter") {
        await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
        visited.push(await page.locator("h1").innerText());
      } else if (press && !(await page.evaluate(() => document.activeElement.checked))) {
        await page.keyboard.press(press);
      }
    }
  };
  await go();
  if (await page.locator("[role=alert]").count()) await go(); // nobody reads that fast: the page asks once more
  headings.push(await page.locator("h1").innerText());
  return { headings, visited, unseen, hosts: [...hosts] };
});
