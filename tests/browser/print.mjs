// What a printed page holds: the long texts of the evidence are what a court asks for, so none may stay behind or be cut.
//
// In:  { url, click: SELECTOR, operator: { name, password } }   click: the page behind that control
// Out: [{ name: HEADING OF THE TEXT, text, seen, whole }]
import { input, loggedIn, withBrowser } from "./browser.mjs";

await withBrowser(async (browser) => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, storageState: await loggedIn(browser, input.operator), locale: "en" });
  const page = await context.newPage();
  await page.goto(input.url);
  await Promise.all([page.waitForNavigation(), page.locator(input.click).click()]);
  await page.emulateMedia({ media: "print" });
  return page.evaluate(() =>
    [...document.querySelectorAll("pre")].map((text) => ({
      name: text.closest("details").querySelector("summary").textContent,
      text: text.textContent,
      seen: text.checkVisibility(),
      whole: text.scrollHeight <= text.clientHeight,
    })),
  );
});
