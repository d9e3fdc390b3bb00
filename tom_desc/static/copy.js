/* A "Copy" button for each element that asks for one: <span data-copies="id of what is copied" data-what="the name">. */
"use strict";

{
  const said = document.createElement("div");
  said.className = "unseen";
  said.setAttribute("role", "status");
  document.querySelector("main").append(said);

  /* Browsers give the clipboard to pages from https or localhost only; elsewhere the old way is left. */
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copySelected(text);
    }
  }

  function copySelected(text) {
    const focused = document.activeElement;
    const area = document.createElement("textarea");
    area.className = "unseen";
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused.focus();
    return done;
  }

  function show(button, word, what) {
    button.textContent = word;
    button.setAttribute("aria-label", `${word} ${what}`);
  }

  function add(place) {
    const { copies, what } = place.dataset;
    const button = document.createElement("button");
    button.type = "button";
    show(button, "Copy", what);
    button.addEventListener("click", async () => {
      const done = await copy(document.getElementById(copies).textContent.trim());
      show(button, done ? "Copied" : "Not copied", what);
      said.textContent = done ? `Copied ${what}` : `This browser does not let the page copy ${what}`;
      setTimeout(() => {
        show(button, "Copy", what);
        said.textContent = "";
      }, 2000);
    });
    place.append(button);
  }

  for (const place of document.querySelectorAll("[data-copies]")) add(place);
}
