// What textual.js leaves to the page: where the socket is, the font before the first cell is measured, and why it closed.
"use strict";

window.WebSocket = class extends WebSocket {
  constructor(...where) {
    super(...where);
    this.addEventListener("open", () => document.querySelector("#terminal textarea")?.focus());
    this.addEventListener("close", (event) => {
      document.getElementById("why").textContent = event.reason || "no longer connected: simbench has ended";
      document.getElementById("again").hidden = event.code === 1001; // the run is over: there is nothing to join
    });
  }

  send(what) {
    if (this.readyState === WebSocket.OPEN) {
      super.send(what);
    }
  }
};

const begin = window.onload;

window.onload = async (event) => {
  const terminal = document.getElementById("terminal");
  terminal.dataset.sessionWebsocketUrl = `${location.origin.replace(/^http/, "ws")}/ws`;
  terminal.dataset.fontSize = Number(new URLSearchParams(location.search).get("fontsize")) || terminal.dataset.fontSize;
  document.getElementById("again").addEventListener("click", () => location.reload());
  await Promise.allSettled(["", "bold ", "italic "].map((style) => document.fonts.load(`${style}15px "Roboto Mono"`)));
  begin(event);
};
