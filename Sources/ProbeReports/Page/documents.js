// Documents, made from the JSON in the page: tokens shaded by attention or by
// what they add to an output, numbers under the pointer or the arrow keys, and filters.
function showDocuments(data, reader) {
  const hasAttention = Boolean(data.attention);
  const hasValues = data.quantity !== "none";
  const quantity = data.quantity === "contribution" ? "contribution" : "score";
  const toward = quantity + (quantity === "contribution" ? " to " : " for ");
  const floats = (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  };
  const number = (x) => x === 0 ? "0" : Math.abs(x) >= 0.001 && Math.abs(x) < 1e5 ? x.toFixed(4) : x.toExponential(2);
  const visible = (text) => text.trim() === "" ? JSON.stringify(text) : text;
  const signed = (x) => (x > 0 ? "+" : x < 0 ? "−" : "") + number(Math.abs(x));

  const controls = make("div", "controls");
  const field = (label, control) => {
    controls.append(make("label", "", label));
    controls.lastChild.append(control);
    return control;
  };
  const choice = (label, name, options) => {
    const select = field(label, make("select"));
    select.name = name;
    for (const [key, text] of options) {
      const option = make("option", "", text);
      option.value = key;
      select.append(option);
    }
    select.addEventListener("change", name === "head" || name === "shade" ? paintAll : list);
    return select;
  };
  const joined = (names) => names == null ? null : names.length > 0 ? names.join(", ") : "none";
  const group = choice("Show", "group", [["", "all"], ...data.groups.filter((g) => g.members.length > 0)
    .map((g) => [g.name, `${g.title} (${g.members.length})`])]);
  const shades = [...(hasAttention ? [["attention", "attention"]] : []), ...(hasValues ? [["values", quantity]] : [])];
  const shade = shades.length > 1 ? choice("Shade by", "shade", shades) : { value: shades[0] ? shades[0][0] : "" };
  const head = data.heads > 1 && (hasAttention || hasValues)
    ? choice("Head", "head", [["", "sum of heads"], ...Array.from({ length: data.heads }, (_, h) => [h, `head ${h + 1}`])])
    : { value: "" };
  // Of several names a document needs one; no class is called as documents without any are.
  const none = "\0"; // Called so in no data, unlike "none".
  const filter = (label, name, key) => {
    const sets = data.documents.map((d) => d[key]).filter((x) => x != null);
    const empty = sets.some((x) => x.length === 0) ? [[none, "none"]] : [];
    const options = [...[...new Set(sets.flat())].sort().map((x) => [x, x]), ...empty];
    return options.length > 1 ? choice(label, name, [["", "any"], ...options]) : { value: "" };
  };
  const fits = (names, wanted) =>
    wanted === "" || (wanted === none ? names.length === 0 : [names].flat().includes(wanted));
  const label = filter(data.isMultilabel ? "Has label" : "Label", "label", "labels");
  // Numbers that are predicted have no classes to choose from.
  const isRegression = data.documents[0].outputs[0].probability == null;
  const prediction = isRegression ? { value: "" } : filter("Predicted", "prediction", "predictions");
  const outcome = filter("Outcome", "outcome", "outcome");
  const pattern = filter("Pattern of id", "pattern", "pattern");
  const search = field("Text or id", make("input"));
  search.type = "search";
  search.name = "search";
  search.addEventListener("input", () => list());
  const count = make("p", "count");
  count.setAttribute("role", "status");
  const holder = make("div");
  const listed = make("div", "listed");
  listed.append(count, copyButtons("Copy list as ", () => [
    ["document", "label", "predicted", "outcome", "output", isRegression ? "value" : "logit", "probability", "target"],
    ...shown.flatMap((card) => card.outcomes())]));
  reader.append(controls, listed, holder);
  let shown = [];

  // Which quantity a token is shaded by, summed over the heads or of one.
  const perToken = (values, n) => {
    const result = new Float64Array(n);
    for (let h = 0; h < data.heads; h++) {
      if (head.value !== "" && Number(head.value) !== h) continue;
      for (let j = 0; j < n; j++) result[j] += values[h * n + j];
    }
    return result;
  };

  class Card {
    constructor(source) {
      this.source = source;
      // Words are found whole, also where tokens continue them with "##".
      const spaced = source.tokens.join(" ");
      this.text = [source.tokens.join(""), spaced, spaced.replaceAll(" ##", ""), source.id].join("\n").toLowerCase();
      this.element = make("article", "document");
      this.output = 0;
      this.current = -1;
    }

    // Once.
    fill() {
      if (this.spans) return;
      const d = this.source;
      this.n = d.visible ? d.visible.length : d.tokens.length;
      this.attention = d.attention ? floats(d.attention) : null;
      this.values = d.contributions.map((c) => floats(c.values));
      const verdict = make("p", "verdict");
      const fact = (name, text) => {
        verdict.append(make("span"));
        verdict.lastChild.append(make("bdi", "", name), " ", make("b", "", text));
      };
      if (d.labels != null) fact("label", joined(d.labels));
      if (!isRegression) fact("predicted", joined(d.predictions));
      if (d.outcome != null) verdict.append(make("span", "", d.outcome));
      for (const o of d.outputs) {
        fact(o.name, (isRegression ? "" : `p ${number(o.probability)}, logit `) + signed(o.logit)
          + (o.target == null || data.isMultilabel ? "" : isRegression ? `, target ${signed(o.target)}`
            : `, label ${number(o.target)}`));
      }
      if (d.contributions.length > 1) {
        const select = make("select");
        select.setAttribute("aria-label", toward.trim());
        d.contributions.forEach((c) => select.append(make("option", "", toward + isolate(c.output))));
        select.addEventListener("change", () => { this.output = select.selectedIndex; this.paint(); });
        verdict.append(select);
      }
      this.tokens = make("div", "tokens");
      this.tokens.tabIndex = 0;
      this.tokens.setAttribute("role", "group");
      this.tokens.setAttribute("aria-label", `Tokens of ${isolate(d.id)}; the arrow keys go from one to the next`);
      const place = new Map((d.visible || []).map((position, j) => [position, j]));
      const invalid = new Set(d.invalid);
      const spaced = !d.tokens.some((t) => /\s/.test(t));
      this.spans = d.tokens.map((text, position) => {
        const span = make("span", "token", text);
        if (invalid.has(position)) span.classList.add("invalid");
        if (/[\u202a-\u202e\u2066-\u2069]/.test(text)) span.classList.add("turning");
        span.place = d.visible ? place.get(position) : position;
        if (span.place === undefined) span.classList.add("unseen");
        this.tokens.append(span, spaced ? " " : "");
        return span;
      });
      this.prefixes = d.prefixes ? floats(d.prefixes) : null;
      this.readout = make("p", "readout");
      this.readout.setAttribute("aria-live", "polite");
      this.tokens.addEventListener("pointerover", (event) => this.read(this.spans.indexOf(event.target)));
      this.tokens.addEventListener("focus", () => this.read(Math.max(0, this.current)));
      this.tokens.addEventListener("keydown", (event) => this.move(event));
      const line = this.prefixes ? prefixLine(this.prefixes) : null;
      const buttons = copyButtons("Copy ", () => this.rows());
      if (line) buttons.append(pictureButton(line, "probability-" + d.id.replace(/[^\w.-]+/g, "_").slice(0, 60)));
      this.element.append(make("h3", "", d.id), verdict, ...(line ? [line] : []), this.tokens, this.readout, buttons);
      this.paint();
    }

    // Shades every token: the largest of the document fully, the others in proportion.
    paint() {
      if (!this.spans) return;
      const isAttention = shade.value === "attention";
      const source = isAttention ? this.attention : this.values[this.output];
      const shown = source ? perToken(source, this.n) : null;
      const most = shown ? shown.reduce((m, x) => Math.max(m, Math.abs(x)), 0) : 0;
      for (const span of this.spans) {
        span.classList.remove("attention", "plus", "minus");
        if (!shown || span.place === undefined || most === 0) continue;
        const x = shown[span.place];
        span.classList.add(isAttention && this.attention && data.attention === "softmax" ? "attention" : x >= 0 ? "plus" : "minus");
        span.style.setProperty("--w", (Math.abs(x) / most).toFixed(3));
      }
      this.scale = most;
      this.read(this.current);
    }

    read(position) {
      const span = this.spans[position];
      if (this.current >= 0) this.spans[this.current].classList.remove("current");
      this.readout.replaceChildren();
      if (!span) {
        if (this.scale > 0) this.readout.append(...legend(this.scale));
        return;
      }
      this.current = position;
      span.classList.add("current");
      this.readout.append(make("b", "", visible(this.source.tokens[position])), ` token ${position + 1} of ${this.spans.length}`);
      if (this.prefixes && !Number.isNaN(this.prefixes[position])) {
        this.readout.append(" · p so far ", make("b", "", number(this.prefixes[position])));
      }
      if (span.place === undefined) return this.readout.append(" · not looked at");
      const name = head.value === "" ? (data.heads > 1 ? " (sum of heads)" : "") : ` (head ${Number(head.value) + 1})`;
      if (this.attention) this.readout.append(" · attention ", make("b", "", number(perToken(this.attention, this.n)[span.place])));
      if (this.values.length > 0) {
        this.readout.append(` · ${toward}`, make("bdi", "", this.source.contributions[this.output].output), " ",
          make("b", "", signed(perToken(this.values[this.output], this.n)[span.place])));
      }
      this.readout.append(name);
    }

    move(event) {
      const last = this.spans.length - 1;
      const to = { ArrowRight: this.current + 1, ArrowLeft: this.current - 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.read(Math.min(last, Math.max(0, to)));
      this.spans[this.current].scrollIntoView({ block: "nearest" });
    }

    // A row an output, for copies.
    outcomes() {
      const d = this.source;
      return d.outputs.map((o) => [d.id, joined(d.labels), joined(d.predictions), d.outcome ?? null, o.name, o.logit,
        o.probability ?? null, o.target ?? null]);
    }

    // A row a token and head, for copies.
    rows() {
      const d = this.source;
      const rows = [["document", "position", "token", "head", ...(this.attention ? ["attention"] : []),
        ...d.contributions.map((c) => `${toward}${c.output}`)]];
      this.spans.forEach((span, position) => {
        if (span.place === undefined) return;
        for (let h = 0; h < data.heads; h++) {
          const at = h * this.n + span.place;
          rows.push([d.id, position, d.tokens[position], h + 1, ...(this.attention ? [this.attention[at]] : []),
            ...this.values.map((v) => v[at])]);
        }
      });
      return rows;
    }
  }

  // The probability of the text so far, from the first token to the last, and the threshold.
  const prefixLine = (prefixes) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const first = prefixes.findIndex((p) => p >= data.threshold);
    svg.setAttribute("class", "prefixes");
    svg.setAttribute("role", "img");
    svg.setAttribute("viewBox", `0 0 ${Math.max(1, prefixes.length - 1)} 1`);
    svg.setAttribute("preserveAspectRatio", "none");
    const draw = (name, path) => {
      const line = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
      line.setAttribute("class", name);
      line.setAttribute("d", path);
    };
    const seen = [...prefixes.entries()].filter(([, p]) => !Number.isNaN(p));
    draw("threshold", `M0 ${1 - data.threshold}H${Math.max(1, prefixes.length - 1)}`);
    draw("line", "M" + (seen.length > 1 ? seen : [...seen, [1, seen[0][1]]]).map(([t, p]) => `${t} ${1 - p}`).join("L"));
    const figure = make("figure", "prefixes");
    figure.append(svg, make("figcaption", "", "probability of the text so far, from 0 to 1; "
      + (first < 0 ? `it never reaches the threshold ${number(data.threshold)}`
        : `it first reaches the threshold ${number(data.threshold)} at token ${first + 1}`)));
    svg.setAttribute("aria-label", figure.lastChild.textContent);
    return figure;
  };

  const legend = (most) => {
    const isSigned = shade.value !== "attention" || data.attention !== "softmax";
    return [isSigned ? signed(-most) : "0", make("span", "scale " + (isSigned ? "signed" : "attention")),
      isSigned ? signed(most) : number(most)];
  };

  const cards = data.documents.map((d) => new Card(d));
  function paintAll() { cards.forEach((card) => card.paint()); }

  function list() {
    const chosen = data.groups.find((g) => g.name === group.value);
    const members = chosen ? chosen.members : cards.map((_, i) => i);
    const words = search.value.trim().toLowerCase();
    shown = members.map((i) => cards[i]).filter(({ source, text }) =>
      fits(source.labels, label.value) && fits(source.predictions, prediction.value)
      && fits(source.outcome, outcome.value) && fits(source.pattern, pattern.value) && text.includes(words));
    holder.replaceChildren(...shown.map((card) => card.element));
    count.textContent = `${shown.length} of ${cards.length} documents`;
  }
  addEventListener("beforeprint", () => cards.forEach((card) => { if (card.element.isConnected) card.fill(); }));
  list();
  // Most pages are whole after the first turn, before a picture is taken; others in turns, so that they answer meanwhile.
  const fillSome = (from, milliseconds) => {
    const end = performance.now() + milliseconds;
    let next = from;
    while (next < cards.length && performance.now() < end) cards[next++].fill();
    if (next < cards.length) setTimeout(fillSome, 10, next, 30);
  };
  fillSome(0, 1000);
}

{
  const source = document.getElementById("data");
  const data = source && JSON.parse(source.textContent);
  if (data && data.documents.length > 0) showDocuments(data, document.getElementById("reader"));
}
