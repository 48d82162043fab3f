// SPDX-License-Identifier: Apache-2.0

/// What the pages load, kept in the program: one file is all that is installed.
enum DashboardAssets {
    static let style = #"""
        :root{--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d8dee4;--soft:#f4f6f8;--accent:#0b5fcc;--on:#fff;--ok:#116329;--okbg:#dff5e4;--bad:#a40e26;--badbg:#ffe9ea;--busy:#7a4b00;--busybg:#fff3d1;--idle:#4a545e;--idlebg:#eceff2;
        --queue:#b6c0ca;--fetch:#6aa5ef;--build:#0b5fcc;--store:#7d8fa3;--start:#8f67d8;--probe:#2a9d8f;--swap:#e09f3e;--drain:#c8d0d8;
        --c0:#57606a;--c1:#b3192b;--c2:#116329;--c3:#7a4b00;--c4:#0b5fcc;--c5:#7d3cb5;--c6:#0f6b74;--c7:#59636e}
        @media(prefers-color-scheme:dark){:root{--bg:#12161b;--fg:#e4e9ee;--dim:#9aa6b2;--line:#2c343d;--soft:#1a2027;--accent:#6cb0ff;--on:#0b1420;--ok:#7ee2a0;--okbg:#12331f;--bad:#ff9aa2;--badbg:#3f171c;--busy:#f5cd78;--busybg:#3a2c0b;--idle:#b4bfca;--idlebg:#262e37;
        --queue:#4b5763;--fetch:#4d86cc;--build:#6cb0ff;--store:#7d8fa3;--start:#b08af0;--probe:#4cc2b2;--swap:#e8b45c;--drain:#3a444e;
        --c0:#8b96a1;--c1:#ff9aa2;--c2:#7ee2a0;--c3:#f5cd78;--c4:#6cb0ff;--c5:#cfa6ff;--c6:#74d7dd;--c7:#c8d0d8}}
        *{box-sizing:border-box}
        html{color-scheme:light dark}
        body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
        a{color:var(--accent);text-underline-offset:2px}
        :focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
        .skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--bg);padding:6px 10px;z-index:2}
        .hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
        .top{display:flex;flex-wrap:wrap;align-items:center;gap:6px 20px;padding:10px 24px;border-bottom:1px solid var(--line)}
        .top form{margin-left:auto}
        .brand{font-weight:700;letter-spacing:.02em;color:var(--fg);text-decoration:none;font-size:17px}
        nav{display:flex;gap:4px 18px;flex-wrap:wrap}nav a{text-decoration:none;padding:4px 0}nav a:hover{text-decoration:underline}
        main{max-width:1200px;margin:0 auto;padding:18px 24px 40px}
        .narrow{max-width:400px;margin:6vh auto}
        footer{max-width:1200px;margin:0 auto;padding:12px 24px;color:var(--dim);font-size:13px}
        h1{font-size:24px;line-height:1.25;margin:6px 0 14px;font-weight:650;overflow-wrap:anywhere}h2{font-size:17px;margin:26px 0 8px;font-weight:650}
        h1 .dim{font-weight:400;font-size:17px}
        .dim{color:var(--dim)}.path{margin:0;font-size:14px}
        code,pre,.lines{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;font-size:13px}
        code{overflow-wrap:anywhere}
        table{width:100%;border-collapse:collapse}
        th,td{text-align:left;vertical-align:top;padding:8px 14px 8px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
        thead th{color:var(--dim);font-weight:500;font-size:13px;padding-bottom:4px}
        tbody th{font-weight:600;white-space:nowrap}tbody th .dim{font-weight:400}
        .acts{text-align:right;white-space:nowrap;padding-right:0}
        .state{display:inline-block;padding:0 8px;border-radius:10px;font-size:13px;line-height:20px;font-weight:600;white-space:nowrap;color:var(--idle);background:var(--idlebg)}
        .state.ok{color:var(--ok);background:var(--okbg)}.state.bad{color:var(--bad);background:var(--badbg)}.state.busy{color:var(--busy);background:var(--busybg)}
        .actions{display:flex;flex-wrap:wrap;gap:8px;margin:14px 0}.actions:empty{margin:0}form{margin:0}
        button,.button{font:inherit;font-size:14px;line-height:1.4;display:inline-block;padding:5px 12px;border:1px solid var(--line);border-radius:6px;background:var(--soft);color:var(--fg);text-decoration:none;cursor:pointer}
        button:hover,.button:hover{border-color:var(--accent)}
        button.main{background:var(--accent);border-color:var(--accent);color:var(--on);font-weight:600}
        button.quiet{background:none;border-color:transparent;color:var(--dim)}
        .note{padding:10px 14px;border:1px solid var(--line);border-radius:8px;background:var(--soft)}
        .note.bad{border-color:var(--bad);background:var(--badbg)}.note.bad .dim{color:var(--fg)}p.note.bad{color:var(--bad)}.note p{margin:0 0 6px}
        .evidence{margin:8px 0;padding:8px 10px;background:var(--bg);border-radius:6px;overflow:auto;max-height:320px;white-space:pre-wrap;overflow-wrap:anywhere}
        .hints{margin:8px 0 0;padding-left:20px}.hints li{margin:4px 0}
        .facts{margin:0 0 10px;display:grid;gap:4px}.facts>div{display:grid;grid-template-columns:110px 1fr;gap:10px}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
        .stack{display:grid;gap:6px;max-width:520px}.stack label{font-weight:600;margin-top:8px}.stack .check{font-weight:400}.stack p{margin:0;font-size:14px}
        input:not([type=checkbox]),textarea,select{font:inherit;padding:7px 10px;border:1px solid var(--dim);border-radius:6px;background:var(--bg);color:var(--fg);width:100%}
        .actions input{width:auto}h3{font-size:15px;margin:20px 0 6px}
        .times{border-radius:3px;vertical-align:middle;background:var(--idlebg)}.took{font-size:13px;white-space:nowrap}
        rect.queue{fill:var(--queue)}rect.fetch{fill:var(--fetch)}rect.build{fill:var(--build)}rect.store{fill:var(--store)}rect.start{fill:var(--start)}rect.probe{fill:var(--probe)}rect.swap{fill:var(--swap)}rect.drain{fill:var(--drain)}
        .stages{list-style:none;margin:14px 0;padding:0;display:flex;flex-wrap:wrap;gap:6px}.stages li{border:1px solid var(--line);border-top:3px solid var(--line);border-radius:5px;padding:3px 10px;font-size:13px;min-width:82px}
        .stages .dim{display:block}.stages .done{border-top-color:var(--ok)}.stages .now{border-top-color:var(--busy);background:var(--busybg)}.stages .failed{border-top-color:var(--bad);background:var(--badbg)}
        .log{margin-top:22px}.bar{display:flex;flex-wrap:wrap;align-items:center;gap:8px;margin-bottom:6px}.bar h2{margin:0 auto 0 0}
        .script{display:none}.scripted .script{display:inline-block}[aria-pressed=true]{border-color:var(--accent);color:var(--accent)}
        .lines{border:1px solid var(--line);border-radius:8px;background:var(--soft);padding:8px 0;max-height:60vh;overflow:auto;line-height:1.55}.lines:empty::before{content:"Nothing yet.";padding:0 12px;color:var(--dim)}
        .line{display:flex;gap:12px;padding:0 12px}.line:target{background:var(--busybg)}.line .n{color:var(--dim);text-decoration:none;min-width:3ch;text-align:right;user-select:none}.line .t{color:var(--dim);user-select:none;white-space:nowrap}.line .x{white-space:pre-wrap;overflow-wrap:anywhere;min-width:0}.line.bad .x{color:var(--bad)}
        .b{font-weight:700}.i{font-style:italic}.u{text-decoration:underline}
        .c0,.c8{color:var(--c0)}.c1,.c9{color:var(--c1)}.c2,.c10{color:var(--c2)}.c3,.c11{color:var(--c3)}.c4,.c12{color:var(--c4)}.c5,.c13{color:var(--c5)}.c6,.c14{color:var(--c6)}.c7,.c15{color:var(--c7)}
        @media(max-width:720px){.top{padding:8px 14px;gap:4px 14px}.top nav{gap:4px 14px}.top button{padding:4px 0}.bar h2{flex-basis:100%}main{padding:12px 14px 30px}footer{padding:10px 14px}
        .cards,.cards tbody,.cards tr,.cards td,.cards tbody th{display:block}.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        .cards tr{border:1px solid var(--line);border-radius:8px;padding:8px 12px;margin-bottom:10px}.cards td,.cards tbody th{border:0;padding:2px 0;display:grid;grid-template-columns:92px 1fr;gap:8px}.cards tbody th{white-space:normal}
        .cards td,.cards tbody th{display:block;padding-left:100px;position:relative;min-height:24px}.cards td::before,.cards tbody th::before{content:attr(data-label);color:var(--dim);font-weight:400;position:absolute;left:0;font-size:13px}
        .acts{text-align:left}.acts:empty{display:none!important}.facts>div{grid-template-columns:92px 1fr}.line{gap:8px;padding:0 8px}.line .t{display:none}button,.button{padding:8px 14px}}
        """#

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

        if (document.body.hasAttribute("data-live")) keepFresh();
        for (const section of document.querySelectorAll("[data-log]")) followLog(section);
        """#
}
