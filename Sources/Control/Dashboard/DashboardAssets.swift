// SPDX-License-Identifier: Apache-2.0

/// What the pages load, kept in the program: one file is all that is installed.
enum DashboardAssets {
    /// Text reaches the page as text nodes; documents that are parsed come from this server and are escaped by it.
    static let script = #"""
        "use strict";
        document.documentElement.classList.add("scripted");

        // What of the page changes is taken from the page itself, loaded again when the server says that something changed.
        function keepFresh() {
          let running = false, again = false, timer = 0;
          async function load() {
            if (running) { again = true; return; }
            running = true;
            try {
              const answer = await fetch(location.href, { headers: { accept: "text/html" } });
              if (answer.redirected) { location.reload(); return; }
              if (!answer.ok) return;
              const page = new DOMParser().parseFromString(await answer.text(), "text/html");
              for (const old of document.querySelectorAll("[data-fresh]")) {
                const fresh = page.getElementById(old.id);
                if (!fresh || fresh.isEqualNode(old)) continue;
                const places = "a[href],button";
                const at = old.contains(document.activeElement)
                  ? [...old.querySelectorAll(places)].indexOf(document.activeElement) : -1;
                old.replaceChildren(...fresh.childNodes);
                if (at >= 0) { const place = old.querySelectorAll(places)[at]; if (place) place.focus(); }
              }
            } catch { } finally {
              running = false;
              if (again) { again = false; soon(); }
            }
          }
          function soon() { clearTimeout(timer); timer = setTimeout(load, 150); }
          new EventSource("/events").addEventListener("change", soon);
          setInterval(() => { if (!document.hidden) soon(); }, 60000);
        }

        function followLog(section) {
          const kind = section.id, lines = section.querySelector(".lines");
          const follow = section.querySelector("[data-follow]"), error = section.querySelector("[data-error]");
          let last = Number(section.dataset.after), follows = !location.hash.startsWith("#" + kind + "-");
          function show() {
            follow.setAttribute("aria-pressed", String(follows));
            if (follows) lines.scrollTop = lines.scrollHeight;
          }
          follow.addEventListener("click", () => { follows = !follows; show(); });
          lines.addEventListener("wheel", (event) => { if (event.deltaY < 0) { follows = false; show(); } }, { passive: true });
          error.addEventListener("click", () => {
            const first = lines.querySelector(".line.bad");
            if (!first) { error.textContent = "No error seen"; return; }
            follows = false; show();
            history.replaceState(null, "", "#" + first.id); location.replace("#" + first.id);
            first.querySelector("a").focus();
          });
          function element(name, style, text) {
            const made = document.createElement(name);
            made.className = style;
            if (text !== undefined) made.textContent = text;
            return made;
          }
          const source = new EventSource(section.dataset.log + "&after=" + last);
          source.addEventListener("line", (event) => {
            const number = Number(event.lastEventId);
            if (!(number > last)) return;
            last = number;
            const line = JSON.parse(event.data), row = element("div", line.bad ? "line bad" : "line");
            row.id = kind + "-" + number;
            const anchor = element("a", "n", String(number));
            anchor.href = "#" + row.id; anchor.tabIndex = -1;
            const text = element("span", "x");
            for (const [style, part] of line.parts) text.append(element("span", style, part));
            row.append(anchor, element("span", "t", line.time), text);
            lines.append(row);
            while (lines.childElementCount > 20000) lines.firstElementChild.remove();
            if (follows) lines.scrollTop = lines.scrollHeight;
          });
          source.addEventListener("end", () => source.close());
          show();
        }

        // What is to be run elsewhere is taken along with one press.
        document.addEventListener("click", async (event) => {
          const button = event.target.closest("[data-copy]");
          if (!button) return;
          try {
            await navigator.clipboard.writeText(button.dataset.copy);
            button.firstChild.data = "Copied";
          } catch {
            // Not over https: it is selected instead.
            getSelection().selectAllChildren(button.parentElement.querySelector("code"));
            button.firstChild.data = "Selected";
          }
          setTimeout(() => { button.firstChild.data = "Copy"; }, 2000);
        });

        if (document.body.hasAttribute("data-live")) keepFresh();
        for (const section of document.querySelectorAll("[data-log]")) followLog(section);
        """#
}
