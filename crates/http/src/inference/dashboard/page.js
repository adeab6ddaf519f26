// The page's only script. Text from the node is only ever set as text, never as markup.
"use strict";

const KEY = "edgecoder.inference-token";
const THEME = "edgecoder.theme";
const EVERY_MS = 3000;
const $ = (id) => document.getElementById(id);

class Locked extends Error {}

async function ask(path, method = "GET", body) {
  const headers = { "x-inference-token": sessionStorage.getItem(KEY) || "" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const told = await answer.json();
  if (answer.status === 401) throw new Locked(told.message);
  if (!answer.ok) throw new Error(told.message || "the node answered " + answer.status);
  return told;
}

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

// Writes only what changed, so that a screen reader and a selection are left alone.
function write(id, text) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}

function span(seconds) {
  if (seconds < 60) return seconds + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min";
  if (seconds < 86400) return Math.floor(seconds / 3600) + " h";
  return Math.floor(seconds / 86400) + " d";
}

function size(bytes) {
  if (!bytes) return "";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) { bytes /= 1000; step += 1; }
  return (bytes < 10 && step > 0 ? bytes.toFixed(1) : Math.round(bytes)) + " " + units[step];
}

function tile(title, asked, note) {
  const box = make("div", undefined, "card tile");
  box.append(make("h3", title), make("p", String(asked.requests), "big"));
  const share = asked.requests ? asked.successes / asked.requests : 0;
  const bar = make("meter", undefined, "bar");
  bar.max = 1;
  bar.value = share;
  bar.setAttribute("aria-label", title + " answered");
  const mean = asked.requests ? (asked.totalLatencyMs / asked.requests / 1000).toFixed(1) + " s on average" : "none yet";
  const words = asked.requests ? Math.round(share * 100) + " % answered, " + mean : mean;
  box.append(bar, make("p", note ? words + ", " + note : words, "soft"));
  return box;
}

const WORDS = { ready: "ready", loading: "loading", error: "failed", no_model: "no model" };

function showOverview(all) {
  const { status } = all;
  write("model", status.model || "no model");
  write("state", WORDS[status.status] || status.status);
  $("state").dataset.state = status.status;
  const where = [status.provider, status.paramSize].filter(Boolean).join(" · ");
  write("where", all.larger ? where + " · larger model: " + all.larger : where);
  write("detail", status.next ? status.next + " is being loaded; this one answers until then" : status.engine.detail || "");
  write("window", status.engine.context_tokens ? status.engine.context_tokens.toLocaleString("en") + " tokens" : "–");
  write("slots", all.slots === null || all.slots === undefined ? "–" : String(all.slots));
  write("running", String(all.running + all.draining));
  write("waiting", String(all.waiting));
  write("restarts", String(all.restarts));
  write("uptime", span(all.uptimeS));
  write("version", all.version);
  const fallbacks = all.decomposeFallbacks ? all.decomposeFallbacks + " stood as one" : "";
  $("asked").replaceChildren(
    tile("Splits", all.decompose, fallbacks), tile("Second looks", all.escalate), tile("Completions", all.complete));
  showPull(status.pullProgress);
}

function showPull(pull) {
  $("pull").hidden = !pull;
  if (!pull) return;
  write("pull-text", "Fetching " + pull.model + ": " + pull.step + ", " + pull.progressPct + " %");
  $("pull-bar").value = pull.progressPct;
}

let shownModels = "";
function showModels(models) {
  const text = JSON.stringify(models);
  if (text === shownModels) return;
  shownModels = text;
  const rows = models.map((model) => {
    const row = make("tr");
    const action = make("td");
    if (model.active) {
      const badge = make("span", "active", "badge");
      badge.dataset.state = "ready";
      action.append(badge);
    } else {
      const button = make("button", model.installed ? "Activate" : "Fetch", "plain");
      button.type = "button";
      button.setAttribute("aria-label", button.textContent + " " + model.modelId);
      button.addEventListener("click", () => (model.installed ? activate(model, button) : fetchModel(model.modelId, model.source)));
      action.append(button);
    }
    const large = [model.paramSize, model.quantization, size(model.sizeBytes)].filter(Boolean).join(" · ");
    row.append(make("td", model.modelId), make("td", model.source), make("td", large, "size"), action);
    return row;
  });
  $("models").replaceChildren(...rows);
}

function showHistory(swaps) {
  const items = swaps.map((swap) => {
    const item = make("li", swap.from + " → " + swap.to);
    const when = new Date(swap.atMs).toLocaleTimeString();
    item.append(make("small", when + ", " + swap.reason + ", " + (swap.tookMs / 1000).toFixed(1) + " s"));
    if (swap.error) item.append(make("small", "failed: " + swap.error, "bad"));
    return item;
  });
  $("history").replaceChildren(...(items.length ? items : [make("li", "None since this node started.", "soft")]));
}

function showProviders(providers) {
  const items = providers.map((server) => {
    const item = make("li", (server.kind || "unknown") + (server.version ? " " + server.version : ""));
    const models = server.models.length === 1 ? "1 model" : server.models.length + " models";
    item.append(make("small", server.url + (server.healthy ? ", " + models : "")));
    if (server.trouble) item.append(make("small", server.trouble, "bad"));
    return item;
  });
  $("providers").replaceChildren(...(items.length ? items : [make("li", "None found. None is needed.", "soft")]));
}

function news(words) { write("news", words); }

async function activate(model, button) {
  button.disabled = true;
  news("Loading " + model.modelId + " …");
  try {
    const swap = await ask("/model/swap", "POST", { model: model.modelId, provider: model.source });
    const ends = { ready: swap.active + " answers now.", loading: model.modelId + " is still being loaded.",
      pulling: model.modelId + " is being fetched.", error: model.modelId + " did not load: " + swap.error };
    news(ends[swap.status] || swap.status);
  } catch (error) {
    if (error instanceof Locked) return lock(error.message);
    news(error.message);
  } finally {
    button.disabled = false;
  }
  await refresh(true);
}

async function fetchModel(model, provider) {
  try {
    await ask("/model/pull", "POST", { model, provider });
    news("Fetching " + model + " …");
  } catch (error) {
    if (error instanceof Locked) return lock(error.message);
    news(error.message);
  }
  await refresh(true);
}

let rounds = 0;
async function refresh(everything) {
  try {
    showOverview(await ask("/dashboard/api/overview"));
    showHistory(await ask("/dashboard/api/swap-history"));
    // Lists ask other programs on this machine: less often.
    if (everything || rounds % 5 === 0) {
      showModels(await ask("/models"));
      showProviders(await ask("/models/providers"));
    }
    rounds += 1;
    $("gate").hidden = true;
    $("board").hidden = false;
    $("lock").hidden = false;
    return true;
  } catch (error) {
    if (error instanceof Locked) lock(sessionStorage.getItem(KEY) ? error.message : "");
    else news("The node does not answer: " + error.message);
    return false;
  }
}

function lock(words) {
  sessionStorage.removeItem(KEY);
  shownModels = "";
  $("board").hidden = true;
  $("lock").hidden = true;
  $("gate").hidden = false;
  write("gate-error", words || "");
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

$("gate-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("token").value.trim());
  $("token").value = "";
  if (await refresh(true)) $("main").focus();
});
$("fetch-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const model = $("fetch").value.trim();
  $("fetch").value = "";
  if (model) fetchModel(model);
});
$("lock").addEventListener("click", () => { lock(""); $("token").focus(); });
$("theme").addEventListener("change", () => {
  localStorage.setItem(THEME, $("theme").value);
  theme($("theme").value);
});
$("theme").value = localStorage.getItem(THEME) || "";
theme($("theme").value);
if (sessionStorage.getItem(KEY)) refresh(true);
setInterval(() => {
  if (!document.hidden && sessionStorage.getItem(KEY) && !$("board").hidden) refresh(false);
}, EVERY_MS);
