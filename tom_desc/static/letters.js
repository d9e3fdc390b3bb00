/* A box that chooses all letters of the page. */
const choice = document.getElementById("choose-all");
const letters = [...document.querySelectorAll("input[name=letter]")];

if (choice) {
  const all = choice.querySelector("input");
  choice.hidden = false;
  all.addEventListener("change", () => {
    for (const letter of letters) letter.checked = all.checked;
  });
  for (const letter of letters)
    letter.addEventListener("change", () => {
      const chosen = letters.filter((letter) => letter.checked).length;
      all.checked = chosen === letters.length;
      all.indeterminate = chosen > 0 && chosen < letters.length;
    });
}
