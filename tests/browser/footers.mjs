// Looks at mails as a mail program would show them: takes a picture of the HTML of each message before and after.
//
// In:  { mails: [{ name, before: HTML, after: HTML }], pictures: DIRECTORY }
// Out: [{ name, link: { visible, text } }]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { input, withBrowser } from "./browser.mjs";

const { mails, pictures } = input;
mkdirSync(pictures, { recursive: true });

await withBrowser(async (browser) => {
  const results = [];
  for (const { name, before, after } of mails) {
    let link;
    for (const [when, html] of [
      ["before", before],
      ["after", after],
    ]) {
      const context = await browser.newContext({ viewport: { width: 700, height: 900 }, offline: true, javaScriptEnabled: false });
      const page = await context.newPage();
      await page.setContent(html, { waitUntil: "domcontentloaded" });
      await page.screenshot({ path: join(pictures, `${name}.${when}.png`), fullPage: true });
      const ours = page.locator("a[href*='/u/']");
      if (when === "after") link = { count: await ours.count(), visible: (await ours.count()) > 0 && (await ours.last().isVisible()), box: (await ours.count()) > 0 ? await ours.last().boundingBox() : null };
      await context.close();
    }
    results.push({ name, link });
  }
  return results;
});
