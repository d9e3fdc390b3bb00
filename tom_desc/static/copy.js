/* A "Copy" button for each element that asks for one: <span data-copies="id of what is copied">. */
"use strict";

for (const place of document.querySelectorAll("[data-copies]")) {
  // Browsers give the clipboard to pages from https or localhost only.
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(place.dataset.copies).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  place.append(button);
}
