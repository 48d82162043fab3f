// SPDX-License-Identifier: Apache-2.0

extension DashboardAssets {
    /// Draws the requests of the last minutes, by release, so that a swap can be seen: a dashed line where a release begins.
    static let plot = #"""
        function plotTraffic(section) {
          const place = section.querySelector("[data-plots]"), legend = section.querySelector("[data-legend]");
          if (!place) return;
          const span = 300, width = 600, height = 90, kinds = [
            { title: "Requests", unit: "/s", series: ["requests"], fills: 0 },
            { title: "Errors", unit: "/s", series: ["errors"], fills: 0 },
            { title: "Time to answer", unit: " ms", series: ["p99", "p50"], fills: null, note: "p50 dotted, p99" },
          ];
          let points = [];
          const number = (value) => value >= 100 ? Math.round(value).toLocaleString("en") : value >= 10 ? value.toFixed(0) : value > 0 ? value.toFixed(1) : "0";
          const svg = (name, attributes) => {
            const made = document.createElementNS("http://www.w3.org/2000/svg", name);
            for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
            return made;
          };
          function ceiling(value) {
            const step = 10 ** Math.floor(Math.log10(value || 1));
            return [1, 2, 5, 10].map((n) => n * step).find((n) => n >= value) || 1;
          }
          function line(own, key, fills, now, top, edge) {
            let text = "", pen = false, before = null;
            for (const point of own) {
              const x = width * (1 - (now - point.at) / 1000 / span), value = point[key] ?? fills;
              if (value === null) { pen = false; continue; }
              const y = height - height * Math.min(value, top) / top, from = x - width * point.seconds / span;
              // Seconds without a sample had nothing.
              if (before !== null && point.at - before > point.seconds * 1500) {
                if (fills === null) pen = false;
                else { text += `L${(width * (1 - (now - before) / 1000 / span)).toFixed(1)},${height}L${from.toFixed(1)},${height}`; }
              }
              if (!pen) text += fills === null ? `M${from.toFixed(1)},${y.toFixed(1)}` : `M${from.toFixed(1)},${height}`;
              text += `L${x.toFixed(1)},${y.toFixed(1)}`;
              pen = true; before = point.at;
            }
            if (fills !== null && before !== null && now - before > 2500) text += `L${(width * (1 - (now - before) / 1000 / span)).toFixed(1)},${height}L${edge},${height}`;
            return text;
          }
          function draw(now) {
            points = points.filter((point) => point.at > now - span * 1000);
            const releases = [...new Set(points.map((point) => point.release))].sort((a, b) => a - b);
            const style = (release) => "s" + release % 4;
            legend.replaceChildren(...releases.map((release) => {
              const entry = document.createElement("span"), mark = document.createElement("i");
              mark.className = style(release);
              entry.append(mark, "release " + release);
              return entry;
            }));
            place.replaceChildren(...kinds.map((kind) => {
              const values = points.flatMap((point) => kind.series.map((key) => point[key] ?? 0));
              const top = ceiling(Math.max(...values, kind.unit === "/s" ? 1 : 10));
              // What came in the last seconds, of all releases.
              const latest = points.filter((point) => point.at > now - 3000);
              const current = kind.unit === "/s"
                ? latest.reduce((sum, point) => sum + point[kind.series[0]] * point.seconds, 0) / Math.max(1, latest.length ? Math.min(3, (now - latest[0].at) / 1000 + latest[0].seconds) : 1)
                : Math.max(0, ...latest.map((point) => point.p99 ?? 0));
              const box = document.createElement("div"), told = number(current) + kind.unit;
              box.className = "plot";
              const title = document.createElement("h3"), figure = document.createElement("span"), scale = document.createElement("div");
              title.textContent = kind.title;
              figure.className = "now"; figure.textContent = told;
              scale.className = "scale";
              for (const text of ["5 min ago", kind.note ? kind.note + ", up to " + number(top) + kind.unit : "up to " + number(top) + kind.unit, "now"]) {
                const part = document.createElement("span");
                part.textContent = text;
                scale.append(part);
              }
              const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": kind.title + " of the last five minutes: now " + told });
              picture.append(svg("line", { class: "axis", x1: 0, y1: height, x2: width, y2: height }), svg("line", { class: "axis", x1: 0, y1: 0, x2: width, y2: 0 }));
              for (const release of releases) {
                const own = points.filter((point) => point.release === release);
                for (const key of kind.series) {
                  picture.append(svg("path", { class: style(release) + (key === "p50" ? " low" : ""), d: line(own, key, kind.fills, now, top, width) || "M0,0" }));
                }
                const x = width * (1 - (now - own[0].at) / 1000 / span);
                if (release !== releases[0]) picture.append(svg("line", { class: "mark", x1: x, x2: x, y1: 0, y2: height }));
              }
              box.append(figure, title, picture, scale);
              return box;
            }));
          }
          listen(() => section.dataset.traffic, {
            // Whoever comes again is told all of it again.
            open: () => { points = []; },
            traffic: (event) => {
              const news = JSON.parse(event.data);
              points.push(...news.points);
              draw(news.now);
            },
          });
        }
        """#
}
