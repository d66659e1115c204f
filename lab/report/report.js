"use strict";
// Plotly knows no CSS variables: each var(--name) of the figure becomes what the page has for it, light or dark.
function coloured(value, style) {
  if (typeof value === "string") {
    return value.replace(/var\((--[\w-]+)\)/g, (match, name) => style.getPropertyValue(name).trim());
  }
  if (Array.isArray(value)) return value.map((item) => coloured(item, style));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
}

const figure = JSON.parse(document.getElementById("figure").textContent);
const place = document.getElementById("plots");

function draw() {
  const {data, layout} = coloured(figure, getComputedStyle(document.documentElement));
  Plotly.react(place, data, layout, {responsive: true, displaylogo: false, displayModeBar: false});
}

document.getElementById("noplots").remove();
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
