"use strict";

const byId = (name) => document.getElementById(name);
const pad = byId("pad");
const context = pad.getContext("2d");
const STEP = 0.03; // of the pad, per arrow key
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let strokes = [];
let stroke = null; // the one that is being drawn
let pen = [0.5, 0.3]; // of the keyboard
let penDown = false;
let request = 0; // number of the last request, so that an earlier answer does not replace a later one

function ink() {
  return getComputedStyle(document.documentElement).getPropertyValue("--ink");
}

function paint() {
  const side = pad.width;
  context.clearRect(0, 0, side, side);
  context.lineWidth = side / 14;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = ink();
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(points[0][0] * side, points[0][1] * side);
    for (const [x, y] of points) context.lineTo(x * side, y * side);
    context.stroke();
  }
  if (document.activeElement === pad && pad.matches(":focus-visible")) {
    context.fillStyle = ink();
    context.globalAlpha = penDown ? 1 : 0.4;
    context.beginPath();
    context.arc(pen[0] * side, pen[1] * side, side / 60, 0, 7);
    context.fill();
    context.globalAlpha = 1;
  }
}

function clamped(value) {
  return Math.round(Math.min(1, Math.max(0, value)) * 1e4) / 1e4;
}

function place(event) {
  const box = pad.getBoundingClientRect();
  return [clamped((event.clientX - box.left) / box.width), clamped((event.clientY - box.top) / box.height)];
}

async function ask(path, content) {
  const number = ++request;
  const start = performance.now();
  let answer;
  try {
    const response = await fetch(path, {
      method: content === undefined ? "GET" : "POST",
      headers: content === undefined ? {} : { "Content-Type": "application/json" },
      body: content === undefined ? undefined : JSON.stringify(content),
    });
    answer = await response.json();
  } catch {
    answer = { error: "softstream serve does not answer; start it again and reload this page" };
  }
  if (number !== request) return null;
  byId("error").hidden = !answer.error;
  byId("error").textContent = answer.error || "";
  if (answer.error) return null;
  answer.milliseconds = performance.now() - start;
  return answer;
}

function row(digit) {
  const line = document.createElement("li");
  for (const name of ["digit", "track", "value"]) {
    const part = document.createElement("span");
    part.className = name;
    line.append(part);
  }
  for (const name of ["bar", "exact"]) {
    const part = document.createElement("span");
    part.className = name;
    line.children[1].append(part);
  }
  line.children[0].textContent = digit;
  return line;
}

function reset() {
  byId("winner").textContent = "–";
  byId("pixels").replaceChildren();
  for (const line of byId("bars").children) {
    line.className = "";
    line.children[1].children[0].style.width = "0";
    line.children[1].children[1].style.left = "0";
    line.children[2].textContent = "";
  }
  for (const name of ["cycles", "agreement", "trip"]) byId(name).textContent = "–";
  byId("agreement").className = "";
  byId("error").hidden = true;
}

function show(answer) {
  if (!answer) return;
  byId("winner").textContent = answer.winner;
  byId("pixels").replaceChildren(...answer.pixels.map((value) => {
    const dot = document.createElement("i");
    dot.style.opacity = value / 16;
    return dot;
  }));
  const shown = answer.probabilities || answer.exact.map((_, digit) => (digit === answer.winner ? 1 : 0));
  shown.forEach((value, digit) => {
    const line = byId("bars").children[digit];
    line.className = digit === answer.winner ? "best" : "";
    line.children[1].children[0].style.width = `${100 * value}%`;
    line.children[1].children[1].style.left = `${100 * answer.exact[digit]}%`;
    line.children[2].textContent = answer.probabilities ? `${(100 * value).toFixed(1)} %` : `score ${answer.codes[digit]}`;
  });
  byId("cycles").textContent = `${answer.cycles} cycles, ${answer.microseconds} µs, to the first result (plan: ${answer.planned})`;
  byId("agreement").textContent = answer.differences ? `${answer.differences} values differ` : "equal, bit for bit";
  byId("agreement").className = answer.differences ? "bad" : "";
  const label = answer.label === undefined ? "" : `; written: ${answer.label}`;
  byId("trip").textContent = `${Math.round(answer.milliseconds)} ms, network and link included${label}`;
}

async function send() {
  if (strokes.length) show(await ask("/drawing", { strokes }));
}

function clear() {
  strokes = [];
  stroke = null;
  penDown = false;
  request += 1;
  reset();
  paint();
}

pad.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pad.setPointerCapture(event.pointerId);
  if (!strokes.length) reset();
  penDown = false;
  stroke = [place(event)];
  strokes.push(stroke);
  paint();
});
pad.addEventListener("pointermove", (event) => {
  if (!stroke || penDown) return;
  for (const each of event.getCoalescedEvents?.() ?? [event]) stroke.push(place(each));
  paint();
});
for (const name of ["pointerup", "pointercancel"]) {
  pad.addEventListener(name, () => {
    if (!stroke || penDown) return;
    stroke = null;
    send();
  });
}
pad.addEventListener("keydown", (event) => {
  if (event.key === " ") {
    penDown = !penDown;
    stroke = null;
    if (penDown) {
      if (!strokes.length) reset();
      stroke = [[...pen]];
      strokes.push(stroke);
    } else {
      send();
    }
  } else if (KEYS[event.key]) {
    pen = pen.map((value, axis) => clamped(value + STEP * KEYS[event.key][axis]));
    if (penDown) stroke.push([...pen]);
  } else {
    return;
  }
  event.preventDefault();
  paint();
});
for (const name of ["focus", "blur"]) pad.addEventListener(name, paint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
byId("clear").addEventListener("click", clear);
byId("example").addEventListener("click", async () => {
  clear();
  show(await ask("/example", {}));
});

byId("bars").append(...Array.from({ length: 10 }, (_, digit) => row(digit)));
paint();
ask("/board").then((board) => {
  if (!board) return;
  byId("board").textContent = board.text;
  byId("simulated").hidden = !board.simulated;
  if (!board.probabilities) byId("scale").textContent = "Winner from the board, and the scores that it got";
});
