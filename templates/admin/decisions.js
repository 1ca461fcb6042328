// The newest decisions as they come. Without this there is the link that loads the page anew.
const line = document.querySelector(".live[data-rows]");
const rows = document.getElementById("rows");

const EVERY = 2000; // milliseconds
const MOST = 200; // rows kept
const UNTIL = 15 * 60 * 1000; // without a hand on the page: a tail that nobody looks at shall not keep a session open

if (line && rows) {
  const [state, button] = [line.querySelector(".state"), line.querySelector("button")];
  const url = new URL(line.dataset.rows, location.href);
  let [paused, ended, touched] = [false, false, Date.now()];

  const tell = () => {
    const text = ended ? state.dataset.ended : paused ? state.dataset.paused : state.dataset.live;
    if (state.textContent !== text) state.textContent = text;
    line.classList.toggle("on", !paused && !ended);
    button.textContent = paused ? button.dataset.resume : button.dataset.pause;
    button.hidden = ended;
  };

  const add = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const fresh = [...template.content.querySelectorAll("tr")].filter((row) => !document.getElementById(row.id));
    if (fresh.length === 0) return;
    document.getElementById("no-rows")?.remove();
    fresh.forEach((row) => row.classList.add("fresh"));
    // Ids sort by time: one that comes late goes to its place.
    for (const row of fresh.reverse()) {
      const after = [...rows.children].find((own) => own.id < row.id);
      rows.insertBefore(row, after ?? null);
    }
    while (rows.children.length > MOST) rows.lastElementChild.remove();
    url.searchParams.set("after", rows.firstElementChild.id.slice(2));
  };

  const ask = async () => {
    if (!paused && Date.now() - touched > UNTIL) {
      paused = true;
      tell();
    }
    if (!paused && !document.hidden) {
      try {
        const answer = await fetch(url, { redirect: "error" });
        if (answer.ok) add(await answer.text());
        else ended = answer.status < 500;
      } catch {
        ended = navigator.onLine;
      }
      tell();
    }
    if (!ended) setTimeout(ask, EVERY);
  };

  button.addEventListener("click", () => {
    paused = !paused;
    tell();
  });
  for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, () => (touched = Date.now()), { passive: true });
  line.hidden = false;
  tell();
  setTimeout(ask, EVERY);
}

// What was not filled in does not stand in the link.
document.querySelector("form.filters")?.addEventListener("submit", (event) => {
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});
