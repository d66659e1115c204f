"use strict";
// Plotly knows no CSS variables: each var(--name) of the figure becomes what `style` has for it, light or dark.
function coloured(value, style) {
  if (typeof value === "string") {
    return value.replace(/var\((--[\w-]+)\)/g, (match, name) => style.getPropertyValue(name).trim());
  }
  if (Array.isArray(value)) return value.map((item) => coloured(item, style));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
}

// On a narrow screen names stand above their lanes instead of left of them, and all is smaller.
const SMALLER = 0.62, LEFT = 60;

function narrowed({data, layout}) {
  const shrunk = (text) => ({...text, size: Math.round(text.size * SMALLER)});
  const axis = (it) => ({
    ...it,
    ...(it.tickfont && {tickfont: shrunk(it.tickfont), nticks: 9}),
    ...(it.title && {title: {...it.title, font: shrunk(it.title.font)}}),
    ...(it.type === "category" && {showticklabels: false, ticks: ""}),
    ...(it.font && {font: shrunk(it.font)}),
  });
  const above = (key, text) => ({
    text, xref: "paper", x: 0, xanchor: "left", yref: key.replace("axis", ""), y: text, yanchor: "bottom",
    showarrow: false, font: {size: 11},
  });
  const lanes = Object.entries(layout).flatMap(([key, it]) => (it.categoryarray || []).map((name) => above(key, name)));
  const parts = Object.entries(layout).map(([key, it]) => [key, /^([xy]axis|legend)/.test(key) ? axis(it) : it]);
  return {
    data: data.map((it) => ({
      ...it,
      ...(it.orientation === "h" && {width: 0.48, offset: 0.01, textfont: {...it.textfont, size: 11}}),
      ...(Array.isArray(it.marker?.symbol) && {marker: {...it.marker, size: 10}}),
    })),
    layout: {
      ...Object.fromEntries(parts),
      font: shrunk(layout.font),
      annotations: [...layout.annotations.map((it) => ({...it, font: shrunk(it.font)})), ...lanes],
      margin: {...layout.margin, l: LEFT, r: 12},
      uniformtext: {...layout.uniformtext, minsize: 10},
      hoverlabel: {font: shrunk(layout.hoverlabel.font)},
      dragmode: false,  // a finger that moves scrolls the page
    },
  };
}

const figure = JSON.parse(document.getElementById("figure").textContent);
const place = document.getElementById("plots");
const narrow = matchMedia("(max-width: 700px)");

function draw(styled = document.documentElement) {
  const {data, layout} = coloured(narrow.matches ? narrowed(figure) : figure, getComputedStyle(styled));
  Plotly.react(place, data, layout, {responsive: true, displaylogo: false, displayModeBar: false});
}

document.getElementById("noplots").remove();
draw();
narrow.addEventListener("change", () => draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());

// Paper is light and as wide as it is; what is folded on the screen is not on paper.
const folded = () => document.querySelectorAll("details:not([open])");
addEventListener("beforeprint", () => {
  folded().forEach((it) => (it.open = true));
  draw(document.getElementById("paper"));
  Plotly.relayout(place, {width: 960});
});
addEventListener("afterprint", () => draw());
