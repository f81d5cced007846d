// What every page has: a choice of colours, copies of tables, and panels of which one is shown. Text of
// data enters a page as textContent alone.
"use strict";
const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
// Text of data where only text can stand: it turns the direction of nothing around it.
const isolate = (text) => "\u2068" + text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "") + "\u2069";
const status = document.getElementById("status");
let clearing;
const say = (text) => {
  status.textContent = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => { status.textContent = ""; }, 2500);
};

// Colours

const themes = document.querySelectorAll("button[data-theme]");
themes.forEach((button) => button.addEventListener("click", () => {
  if (button.dataset.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = button.dataset.theme;
  themes.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
}));

// Copies

const csv = (rows) => rows.map((row) => row.map((value) => {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}).join(",")).join("\r\n") + "\r\n";
const value = (cell, isNumber) => {
  const text = cell.textContent;
  if (isNumber && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  return isNumber && text === "–" ? null : text;
};
const tableRows = (table) => [...table.rows].map((row, number) =>
  [...row.cells].map((cell) => value(cell, number > 0 && cell.classList.contains("number"))));
const objects = ([header, ...rows]) =>
  rows.map((row) => Object.fromEntries(row.map((value, i) => [header[i], value])));
const copy = async (text, count) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    if (!isDone) return say("This browser does not let a page copy.");
  }
  say(count + " rows copied");
};
const copyRows = (rows, format) =>
  copy(format === "csv" ? csv(rows) : JSON.stringify(objects(rows), null, 1), rows.length - 1);
const copyButtons = (action, rows) => {
  const buttons = make("p", "copy");
  for (const format of ["csv", "json"]) {
    const button = make("button", "", action + format.toUpperCase());
    button.type = "button";
    button.addEventListener("click", () => copyRows(rows(), format));
    buttons.append(button, " ");
  }
  return buttons;
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  const table = button && button.closest(".table");
  if (table) copyRows(tableRows(table.querySelector("table")), button.dataset.copy);
});

// Panels

document.querySelectorAll("select[data-panels]").forEach((select) => {
  const panels = [...select.closest(".panels").querySelectorAll(".panel")];
  panels.forEach((panel) => select.append(make("option", "", panel.dataset.name)));
  const show = () => panels.forEach((panel, i) => { panel.hidden = i !== select.selectedIndex; });
  select.addEventListener("change", show);
  show();
});
