// The reader's language: ?lang=zh, else the last choice, else the browser's. Without this script both languages show.
const radios = document.getElementsByName("language");
const remembered = () => { try { return localStorage.getItem("tuwen-language"); } catch { return null; } };
const remember = (value) => { try { localStorage.setItem("tuwen-language", value); } catch { /* a private window */ } };
const wanted = new URLSearchParams(location.search).get("lang") ?? remembered()
  ?? (navigator.language.startsWith("zh") ? "zh" : "en");
const speak = (language) => { document.documentElement.lang = language === "zh" ? "zh" : "en"; };
for (const radio of radios) {
  if (radio.value === wanted) { radio.checked = true; speak(wanted); }
  radio.addEventListener("change", () => { remember(radio.value); speak(radio.value); });
}

// Values under the pointer.
for (const svg of document.querySelectorAll("svg[data-points]")) {
  const points = JSON.parse(svg.dataset.points);
  const output = svg.closest("figure").querySelector("output");
  const cursor = svg.querySelector(".cursor");
  const dot = svg.querySelector(".dot");
  const show = (visible) => { for (const mark of [cursor, dot]) mark.toggleAttribute("hidden", !visible); };
  svg.addEventListener("pointermove", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    const [x, y, step, value] = points.reduce((a, b) => (Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a));
    cursor.setAttribute("transform", `translate(${x} 0)`);
    dot.setAttribute("transform", `translate(${x} ${y})`);
    output.textContent = `${step} · ${value}`;
    show(true);
  });
  svg.addEventListener("pointerleave", () => { output.textContent = svg.dataset.last; show(false); });
}
