// A mail scanner's day: a headless browser that opens every link it found in mails and submits whatever a script can
// submit on the page, in every way a script has, and once more when the page asks for that. No hand touches anything.
//
// In:  { urls }
// Out: { submitted: how many forms it sent }
import { input, withBrowser } from "./browser.mjs";

const { urls } = input;

// Each way is tried on each form and each of its buttons, on a fresh load of the page.
const WAYS = {
  "form.submit()": (form) => HTMLFormElement.prototype.submit.call(form),
  "form.requestSubmit()": (form) => form.requestSubmit(),
  "form.requestSubmit(button)": (form, button) => form.requestSubmit(button),
  "button.click()": (form, button) => button.click(),
  "an event": (form, button) => button.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true })),
  "a form of its own": (form, button) => {
    const copy = document.createElement("form");
    copy.method = "post";
    copy.action = location.href;
    for (const [name, value] of new FormData(form, button)) {
      const field = document.createElement("input");
      [field.type, field.name, field.value] = ["hidden", name, value];
      copy.append(field);
    }
    document.body.append(copy);
    copy.submit();
  },
  "fetch()": async (form, button) => {
    const [n, m] = [[...document.forms].indexOf(form), [...form.querySelectorAll("button")].indexOf(button)];
    const send = (form, button) => fetch(location.href, { method: "POST", body: new URLSearchParams(new FormData(form, button)) });
    const again = new DOMParser().parseFromString(await (await send(form, button)).text(), "text/html");
    for (const field of again.querySelectorAll("[type=radio], [type=checkbox]")) field.checked = true;
    return send(again.forms[n], again.forms[n].querySelectorAll("button")[m]);
  },
};

// A thorough scanner fills in what a form wants.
const FILL = () => {
  for (const field of document.querySelectorAll("input")) {
    if (field.type === "radio" || field.type === "checkbox") field.checked = true;
    if (field.type === "email") field.value = "scanner@people.example";
  }
};

await withBrowser(async (browser) => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true });
  let submitted = 0;

  async function submit(url, form, button, name) {
    const page = await context.newPage();
    const target = `document.forms[${form}]`;
    const act = `(${FILL})(); (${WAYS[name]})(${target}, ${target}.querySelectorAll("button")[${button}])`;
    const twice = `addEventListener("DOMContentLoaded", () => {
      sessionStorage.done = Number(sessionStorage.done ?? 0) + 1;
      if (sessionStorage.done <= 2 && ${target}) { ${act}; }
    })`;
    // Whoever is too fast is asked once more: so a page that comes back is pressed again. An error page has no button.
    let answers = 0;
    const sent = page.waitForResponse((response) => {
      if (response.request().method() !== "POST") return false;
      answers++;
      return answers === 2 || response.status() !== 200;
    }).catch(() => {
      throw new Error(`${name} sent ${answers} of 2 from form ${form}, button ${button} of ${url}`);
    });
    // As a script of the page's own: what a debugger evaluates would count as a person's hand.
    await page.addInitScript(twice);
    await page.goto(url).catch(() => {}); // its script leads away from it
    await sent;
    submitted += answers;
    await page.close();
  }

  for (const url of urls) {
    const page = await context.newPage();
    await page.goto(url);
    const forms = await page.evaluate(() => [...document.forms].map((form) => form.querySelectorAll("button").length));
    await page.close();
    for (const [form, buttons] of forms.entries())
      for (let button = 0; button < buttons; button++)
        for (const name of Object.keys(WAYS)) await submit(url, form, button, name);
  }
  return { submitted };
});
