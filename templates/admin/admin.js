// Everything works without this.

// On a narrow screen the navigation scrolls sideways: to where one is.
document.querySelector(".bar [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

// "/" goes to the search box, as in most tools of this kind.
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  const box = document.querySelector(".search input[type=search]");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});
