"use strict";
// Filters, links into folded parts, buttons to copy, and unfolding for print. The page can be read without any of it.
(() => {
  const form = document.getElementById("filters");
  const found = document.getElementById("found");
  const copying = document.getElementById("copying");
  const trials = [...document.querySelectorAll(".trial")].map((element) => ({
    element,
    recipe: element.closest(".recipe"),
    text: null,
  }));
  const recipes = [...document.querySelectorAll("details.recipe")];
  const facets = ["kind", "outcome", "layer"];
  let filtering = false;

  const textOf = (trial) => {
    trial.text ??= `${trial.recipe.querySelector("summary").textContent} ${trial.element.textContent}`.toLowerCase();
    return trial.text;
  };

  const wanted = () => {
    const data = new FormData(form);
    const words = data.get("text").toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = facets.map((name) => [name, data.getAll(name)]).filter(([, values]) => values.length > 0);
    return { words, chosen };
  };

  const matches = (trial, { words, chosen }) =>
    chosen.every(([name, values]) => values.includes(trial.element.dataset[name])) &&
    words.every((word) => textOf(trial).includes(word));

  const tell = (shown) => {
    const all = `${trials.length} requests`;
    found.textContent = shown === 0 ? "Nothing matches these filters." : `Showing ${filtering ? `${shown} of ` : ""}${all}.`;
    found.classList.toggle("nothing", shown === 0);
  };

  const apply = () => {
    const filter = wanted();
    const before = filtering;
    filtering = filter.words.length + filter.chosen.length > 0;
    const open = new Set();
    for (const trial of trials) {
      const match = matches(trial, filter);
      trial.element.hidden = !match;
      if (match) open.add(trial.recipe);
    }
    for (const recipe of recipes) {
      recipe.hidden = !open.has(recipe);
      if (filtering || before) recipe.open = filtering && open.has(recipe);
    }
    tell(trials.filter((trial) => !trial.element.hidden).length);
  };

  const follow = () => {
    const target = document.querySelector(":target");
    if (!target) return;
    if (filtering && target.closest("#tried")) {
      form.reset();
      apply();
    }
    for (let part = target; part; part = part.parentElement) {
      if (part instanceof HTMLDetailsElement) part.open = true;
    }
    target.scrollIntoView();
  };

  const copied = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Over plain HTTP there is no clipboard: the text is left selected.
      getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      return document.execCommand("copy");
    }
  };

  const addCopying = (command) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const done = await copied(button, command.querySelector("pre").textContent);
      button.textContent = done ? "Copied" : "Selected";
      copying.textContent = done ? "The command was copied." : "The command is selected.";
      setTimeout(() => {
        button.textContent = "Copy";
        copying.textContent = "";
      }, 2000);
    });
    command.prepend(button);
  };

  const unfold = (open) => {
    for (const part of document.querySelectorAll("details.recipe, .trial > details")) part.open = open;
  };

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });

  document.querySelectorAll(".command").forEach(addCopying);
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => queueMicrotask(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", ({ target }) => {
    if (target.dataset.unfold) unfold(target.dataset.unfold === "true");
  });
  // A link to the part that is already named in the address changes nothing there, and must unfold all the same.
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("a[href^='#']")) setTimeout(follow);
  });
  addEventListener("hashchange", follow);

  form.hidden = false;
  apply();
  follow();
})();
