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

// Pictures: a plot as a file of its own, in the colours that the page has, with its title and its legend.

const pictureStyle = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-size",
  "vector-effect"];
const picture = (figure) => {
  const space = "http://www.w3.org/2000/svg";
  const source = figure.querySelector("svg");
  const copy = source.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [source, ...source.querySelectorAll("*")].forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of pictureStyle) copies[i].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "style", "id", "role", "aria-labelledby"]) copies[i].removeAttribute(name);
  });
  const [, , boxWidth, boxHeight] = source.getAttribute("viewBox").split(" ").map(Number);
  const isLine = source.getAttribute("preserveAspectRatio") === "none";
  const [width, height] = isLine ? [720, 60] : [boxWidth, boxHeight];
  const page = getComputedStyle(document.body);
  const all = document.createElementNS(space, "svg");
  const add = (name, attributes, text) => {
    const element = all.appendChild(document.createElementNS(space, name));
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
  };
  const names = [...figure.querySelectorAll(".legend li")];
  const whole = 28 + height + 18 * names.length + 8;
  for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${whole}`, width, height: whole,
    "font-family": "sans-serif" })) all.setAttribute(key, value);
  add("rect", { width, height: whole, fill: page.backgroundColor });
  add("text", { x: 8, y: 18, "font-size": isLine ? 11 : 13, fill: page.color }, figure.querySelector("figcaption").textContent);
  for (const [key, value] of Object.entries({ x: 0, y: 28, width, height })) copy.setAttribute(key, value);
  all.append(copy);
  names.forEach((name, i) => {
    const key = getComputedStyle(name.querySelector(".key"));
    const isEmpty = ["rgba(0, 0, 0, 0)", "transparent"].includes(key.backgroundColor);
    const y = 28 + height + 18 * i + 8;
    add("line", { x1: 8, x2: 26, y1: y, y2: y, stroke: isEmpty ? key.borderTopColor : key.backgroundColor,
      "stroke-width": isEmpty || parseFloat(key.height) < 3 ? 1.5 : 8, opacity: key.opacity,
      ...(isEmpty ? { "stroke-dasharray": "4 3" } : {}) });
    add("text", { x: 34, y: y + 4, "font-size": 11, fill: page.color }, name.textContent);
  });
  return new XMLSerializer().serializeToString(all);
};
const savePicture = (figure, name) => {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([picture(figure)], { type: "image/svg+xml" }));
  link.download = name + ".svg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say(link.download + " saved");
};
const pictureButton = (figure, name) => {
  const button = make("button", "", "Save SVG");
  button.type = "button";
  button.addEventListener("click", () => savePicture(figure, name));
  return button;
};
document.querySelectorAll("figure.plot").forEach((figure) => {
  figure.append(make("p", "copy"));
  const name = figure.querySelector("svg").getAttribute("aria-labelledby").split("-title")[0];
  figure.lastChild.append(pictureButton(figure, name));
});

// Panels

document.querySelectorAll("select[data-panels]").forEach((select) => {
  const panels = [...select.closest(".panels").querySelectorAll(".panel")];
  panels.forEach((panel) => select.append(make("option", "", panel.dataset.name)));
  const show = () => panels.forEach((panel, i) => { panel.hidden = i !== select.selectedIndex; });
  select.addEventListener("change", show);
  show();
});
