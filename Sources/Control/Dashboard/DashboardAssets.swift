// SPDX-License-Identifier: Apache-2.0

/// What the pages load, kept in the program: one file is all that is installed.
enum DashboardAssets {
    /// Text reaches the page as text nodes; documents that are parsed come from this server and are escaped by it.
    static let script = #"""
        "use strict";
        document.documentElement.classList.add("scripted");

        // A browser has six connections to a server: pages that are not looked at let go of theirs.
        function listen(address, events) {
          let source, isOver = false;
          const end = () => { isOver = true; source.close(); };
          const open = () => {
            if (isOver) return;
            source = new EventSource(address());
            for (const [name, work] of Object.entries(events)) source.addEventListener(name, (event) => work(event, end));
          };
          document.addEventListener("visibilitychange", () => { if (document.hidden) source.close(); else open(); });
          open();
        }

        // What of the page changes is taken from the page itself, loaded again when the server says that something changed.
        function keepFresh() {
          let running = false, again = false, timer = 0, leaving = false;
          // What is sent may remove what the page is about: its answer is the next page.
          document.addEventListener("submit", () => { leaving = true; });
          addEventListener("pageshow", () => { leaving = false; });
          async function load() {
            if (leaving) return;
            if (running) { again = true; return; }
            running = true;
            try {
              const answer = await fetch(location.href, { headers: { accept: "text/html", "x-kinto-fresh": "1" } });
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
          listen(() => "/events", { change: soon });
          setInterval(() => { if (!document.hidden) soon(); }, 60000);
        }

        function element(name, style, text) {
          const made = document.createElement(name);
          made.className = style;
          if (text !== undefined) made.textContent = text;
          return made;
        }

        function showLog(section) {
          const mark = section.dataset.mark, lines = section.querySelector(".lines");
          const follow = section.querySelector("[data-follow]"), error = section.querySelector("[data-error]");
          const isLink = (hash) => new RegExp("^#" + mark + "\\d+$").test(hash);
          let last = Number(section.dataset.after), follows = Boolean(follow) && !isLink(location.hash);
          function show() {
            if (!follow) return;
            follow.setAttribute("aria-pressed", String(follows));
            if (follows) lines.scrollTop = lines.scrollHeight;
          }
          function leave() { if (follows) { follows = false; show(); } }
          if (follow) follow.addEventListener("click", () => { follows = !follows; show(); });
          lines.addEventListener("wheel", (event) => { if (event.deltaY < 0) leave(); }, { passive: true });
          lines.addEventListener("keydown", (event) => {
            if (["ArrowUp", "PageUp", "Home"].includes(event.key)) leave();
          });
          // A line that is not on this page is on another one.
          function arrive() {
            if (!isLink(location.hash)) return;
            leave();
            const line = document.getElementById(location.hash.slice(1)), number = location.hash.slice(2);
            if (line) { line.scrollIntoView({ block: "center" }); return; }
            if (Number(number) <= last && new URLSearchParams(location.search).get(section.id) !== number)
              location.replace(section.dataset.page + section.id + "=" + number + location.hash);
          }
          addEventListener("hashchange", arrive);
          error.addEventListener("click", (event) => {
            // Also in what came since the page was loaded. Of a long log the server knows the first.
            const first = section.querySelector(".find button").classList.contains("noscript") && lines.querySelector(".line.bad");
            if (!first) return;
            event.preventDefault();
            leave();
            location.hash = first.id;
            first.querySelector("a").focus({ preventScroll: true });
          });
          searchLog(section, lines, leave);
          arrive();
          show();
          if (!section.dataset.log) return;
          listen(() => section.dataset.log + "after=" + last, { line, end: (event, end) => end() });
          function line(event) {
            const number = Number(event.lastEventId);
            if (!(number > last)) return;
            last = number;
            const line = JSON.parse(event.data), row = element("div", line.bad ? "line bad" : "line");
            row.id = mark + number;
            const anchor = element("a", "n", String(number));
            anchor.href = "#" + row.id; anchor.tabIndex = -1;
            const text = element("span", "x");
            for (const [style, part] of line.parts) text.append(element("span", style, part));
            row.append(anchor, element("span", "t", line.time), text);
            lines.append(row);
            while (lines.childElementCount > 20000) lines.firstElementChild.remove();
            if (follows) lines.scrollTop = lines.scrollHeight;
          }
        }

        // In the lines that are here, while one types; Enter goes on to the next, and asks the server when there is none.
        function searchLog(section, lines, leave) {
          const form = section.querySelector(".find"), input = form.querySelector("[type=search]");
          const output = form.querySelector("output");
          let hits = [], at = -1;
          function clear() {
            for (const hit of hits) hit.classList.remove("hit", "at");
            hits = []; at = -1; output.value = "";
          }
          function go(step) {
            if (at >= 0) hits[at].classList.remove("at");
            at = (at + step + hits.length) % hits.length;
            hits[at].classList.add("at");
            leave();
            hits[at].scrollIntoView({ block: "center" });
            output.value = (at + 1) + " of " + hits.length;
          }
          function search() {
            const text = input.value.toLowerCase();
            clear();
            if (text === "") return;
            hits = [...lines.children].filter((line) => line.lastElementChild.textContent.toLowerCase().includes(text));
            for (const hit of hits) hit.classList.add("hit");
            if (hits.length) go(1); else output.value = "none";
          }
          input.addEventListener("input", search);
          input.addEventListener("keydown", (event) => {
            if (event.key === "Escape") { input.value = ""; clear(); }
            if (event.key !== "Enter" || !hits.length) return;
            event.preventDefault();
            go(event.shiftKey ? -1 : 1);
          });
        }

        document.addEventListener("keydown", (event) => {
          if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select")) return;
          const input = document.querySelector(".find [type=search]");
          if (input) { event.preventDefault(); input.focus(); input.select(); }
        });

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
        for (const section of document.querySelectorAll(".log")) showLog(section);
        for (const section of document.querySelectorAll("[data-traffic]")) plotTraffic(section);
        """#
}
