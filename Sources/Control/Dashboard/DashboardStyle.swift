// SPDX-License-Identifier: Apache-2.0

extension DashboardAssets {
    /// The pages' one style sheet: colours first, for light and dark; then what stands on every page; then one part for each kind
    /// of page; small screens last.
    static let style = #"""
        :root{--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d8dee4;--soft:#f5f7f9;--accent:#0b5fcc;--on:#fff;--ok:#116329;--okbg:#dff5e4;--bad:#a40e26;--badbg:#ffe9ea;--busy:#7a4b00;--busybg:#fff3d1;--idle:#4a545e;--idlebg:#eceff2;
        --queue:#b6c0ca;--fetch:#6aa5ef;--build:#0b5fcc;--store:#7d8fa3;--start:#8f67d8;--probe:#2a9d8f;--swap:#e09f3e;--drain:#c8d0d8;
        --s0:#0b5fcc;--s1:#b3541e;--s2:#7d3cb5;--s3:#0f6b74;--c0:#57606a;--c1:#b3192b;--c2:#116329;--c3:#7a4b00;--c4:#0b5fcc;--c5:#7d3cb5;--c6:#0f6b74;--c7:#59636e}
        @media(prefers-color-scheme:dark){:root{--bg:#12161b;--fg:#e4e9ee;--dim:#9aa6b2;--line:#2c343d;--soft:#1a2027;--accent:#6cb0ff;--on:#0b1420;--ok:#7ee2a0;--okbg:#12331f;--bad:#ff9aa2;--badbg:#3f171c;--busy:#f5cd78;--busybg:#3a2c0b;--idle:#b4bfca;--idlebg:#262e37;
        --queue:#4b5763;--fetch:#4d86cc;--build:#6cb0ff;--store:#7d8fa3;--start:#b08af0;--probe:#4cc2b2;--swap:#e8b45c;--drain:#3a444e;
        --s0:#6cb0ff;--s1:#f0a36b;--s2:#cfa6ff;--s3:#74d7dd;--c0:#8b96a1;--c1:#ff9aa2;--c2:#7ee2a0;--c3:#f5cd78;--c4:#6cb0ff;--c5:#cfa6ff;--c6:#74d7dd;--c7:#c8d0d8}}
        *{box-sizing:border-box}
        html{color-scheme:light dark;scroll-padding-top:12px}
        body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
        a{color:var(--accent);text-underline-offset:2px;text-decoration-thickness:1px}
        :focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
        .skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--bg);padding:6px 10px;z-index:2}
        .hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
        .top{display:flex;flex-wrap:wrap;align-items:center;gap:6px 20px;padding:10px 24px;border-bottom:1px solid var(--line)}
        .top form{margin-left:auto}
        .brand{font-weight:700;letter-spacing:.02em;color:var(--fg);text-decoration:none;font-size:17px}
        .top nav{display:flex;gap:4px 18px;flex-wrap:wrap}.top nav a{text-decoration:none;padding:4px 0}.top nav a:hover{text-decoration:underline}
        main{max-width:1200px;margin:0 auto;padding:16px 24px 40px}
        .narrow{max-width:400px;margin:6vh auto}
        footer{max-width:1200px;margin:0 auto;padding:12px 24px;color:var(--dim);font-size:13px}
        h1{font-size:24px;line-height:1.25;margin:6px 0 12px;font-weight:650;overflow-wrap:anywhere}h2{font-size:17px;margin:28px 0 8px;font-weight:650}h3{font-size:14px;margin:0;font-weight:600}
        h1 .dim{font-weight:400;font-size:17px}
        .dim{color:var(--dim)}.small{font-size:13px}.bad-text{color:var(--bad)}
        code,pre,.lines{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;font-size:13px}
        code{overflow-wrap:anywhere}

        .place{display:flex;flex-wrap:wrap;align-items:center;gap:4px 6px;font-size:14px}.path{margin:0;font-size:14px;overflow-wrap:anywhere}
        .switch{display:flex;flex-wrap:wrap;gap:2px}.switch a{text-decoration:none;padding:1px 9px;border-radius:11px;color:var(--dim)}.switch a:hover{background:var(--soft);color:var(--fg)}.switch [aria-current]{background:var(--idlebg);color:var(--fg);font-weight:600}
        .tabs{display:flex;flex-wrap:wrap;gap:0 18px;border-bottom:1px solid var(--line);margin:6px 0 16px}.tabs a{padding:6px 0;color:var(--dim);text-decoration:none;border-bottom:2px solid transparent;margin-bottom:-1px}.tabs a:hover{color:var(--fg)}.tabs [aria-current]{color:var(--fg);border-color:var(--accent);font-weight:600}
        .head{display:flex;flex-wrap:wrap;align-items:start;gap:0 20px}.head h1{flex:1 1 auto}.head .actions{margin:4px 0 8px}
        .lead{margin:0 0 12px}

        table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
        th,td{text-align:left;vertical-align:top;padding:8px 14px 8px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
        thead th{color:var(--dim);font-weight:500;font-size:13px;padding-bottom:4px}
        tbody th{font-weight:600;white-space:nowrap}tbody th .dim{font-weight:400}
        .place-name{font-weight:400}
        .acts{text-align:right;white-space:nowrap;padding-right:0}.acts form{display:inline}
        tbody .acts button,tbody .acts .button{padding:1px 9px;font-size:13px}
        .pages{display:flex;gap:8px;margin:12px 0}
        .state,.tag{display:inline-block;padding:0 8px;border-radius:10px;font-size:13px;line-height:20px;font-weight:600;white-space:nowrap;color:var(--idle);background:var(--idlebg)}
        .tag{background:none;border:1px solid var(--line);line-height:18px;font-weight:500}
        .state.ok{color:var(--ok);background:var(--okbg)}.state.bad{color:var(--bad);background:var(--badbg)}.state.busy{color:var(--busy);background:var(--busybg)}

        .actions{display:flex;flex-wrap:wrap;gap:8px;margin:14px 0}.actions:empty{margin:0}form{margin:0}
        button,.button{font:inherit;font-size:14px;line-height:1.4;display:inline-block;padding:5px 12px;border:1px solid var(--line);border-radius:6px;background:var(--soft);color:var(--fg);text-decoration:none;cursor:pointer}
        button:hover,.button:hover{border-color:var(--accent)}
        button.main,.button.main{background:var(--accent);border-color:var(--accent);color:var(--on);font-weight:600}
        button.quiet{background:none;border-color:transparent;color:var(--dim)}
        button.danger{color:var(--bad);border-color:var(--bad);background:none;font-weight:600}button.danger:hover{background:var(--badbg)}
        .note{padding:10px 14px;border:1px solid var(--line);border-radius:8px;background:var(--soft);margin:0 0 12px}.note.row{display:flex;flex-wrap:wrap;gap:8px 14px;align-items:center;justify-content:space-between}.note.row p{margin:0}
        .note.bad{border-color:var(--bad);background:var(--badbg)}.note.bad .dim{color:var(--fg)}p.note.bad{color:var(--bad)}p.note.bad a{color:inherit}.note p{margin:0 0 6px}
        .evidence{margin:8px 0;padding:8px 10px;background:var(--bg);border-radius:6px;overflow:auto;max-height:320px;white-space:pre-wrap;overflow-wrap:anywhere}
        .hints{margin:8px 0 0;padding-left:20px}.hints li{margin:6px 0}.command{display:inline-flex;align-items:center;gap:6px;background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:0 4px 0 8px}.command .copy{padding:0 6px;font-size:12px;border:0;background:none;color:var(--accent)}
        .facts{margin:0 0 10px;display:grid;gap:4px}.facts>div{display:grid;grid-template-columns:110px 1fr;gap:10px}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
        .stack{display:grid;gap:6px;max-width:520px}.stack label{font-weight:600;margin-top:8px}.stack .check{font-weight:400}.stack p{margin:0;font-size:14px}
        .line-form{display:flex;flex-wrap:wrap;align-items:center;gap:8px 12px}.line-form>div{flex:1 1 240px}.line-form p{margin:0;font-size:14px}.line-form label{font-weight:600}.line-form input[type=number]{width:90px}
        input:not([type=checkbox],[type=radio]),textarea,select{font:inherit;padding:6px 10px;border:1px solid var(--dim);border-radius:6px;background:var(--bg);color:var(--fg);width:100%}select{width:auto}
        .actions input{width:auto}main>h3{font-size:15px;margin:20px 0 6px}
        input[type=checkbox],input[type=radio]{accent-color:var(--accent)}
        .switches{list-style:none;margin:0;padding:0;max-width:720px;border:1px solid var(--line);border-radius:8px}.switches li{padding:10px 14px;border-top:1px solid var(--line)}.switches li:first-child{border-top:0}
        summary{cursor:pointer;font-weight:600}details form{margin-top:8px}details.danger{border:1px solid var(--line);border-radius:8px;padding:10px 14px;max-width:720px}details.danger[open]{border-color:var(--bad)}details.danger p{margin:8px 0}

        .commits,.difference{list-style:none;margin:6px 0;padding:0}.commits li{padding:3px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}.commits{max-width:820px}
        .choice{border:1px solid var(--line);border-radius:8px;margin:0 0 10px;padding:10px 14px;max-width:720px}.choice>div{padding:0 0 8px 24px}.choice p{margin:2px 0}
        .times{border-radius:3px;vertical-align:middle;background:var(--idlebg)}.took{font-size:13px;white-space:nowrap}
        rect.queue{fill:var(--queue)}rect.fetch{fill:var(--fetch)}rect.build{fill:var(--build)}rect.store{fill:var(--store)}rect.start{fill:var(--start)}rect.probe{fill:var(--probe)}rect.swap{fill:var(--swap)}rect.drain{fill:var(--drain)}
        .stages{list-style:none;margin:14px 0;padding:0;display:flex;flex-wrap:wrap;gap:6px}.stages li{border:1px solid var(--line);border-top:3px solid var(--line);border-radius:5px;padding:3px 10px;font-size:13px;min-width:82px}
        .stages .dim{display:block}.stages .done{border-top-color:var(--ok)}.stages .now{border-top-color:var(--busy);background:var(--busybg)}.stages .failed{border-top-color:var(--bad);background:var(--badbg)}

        .log{margin-top:22px}.bar{display:flex;flex-wrap:wrap;align-items:center;gap:8px;margin-bottom:6px}.bar h2{margin:0 auto 0 0}
        .script{display:none}.scripted .script{display:inline-block}.scripted .legend{display:flex}.scripted .noscript{display:none}[aria-pressed=true]{border-color:var(--accent);color:var(--accent)}
        .find{display:flex;gap:4px;align-items:center}.find input{width:180px;padding:4px 10px;font-size:14px}.find output{color:var(--dim);font-size:13px;min-width:5ch}
        .lines{border:1px solid var(--line);border-radius:8px;background:var(--soft);padding:8px 0;max-height:60vh;overflow:auto;line-height:1.55}.lines:empty::before{content:"Nothing yet.";padding:0 12px;color:var(--dim)}
        .line{display:flex;gap:12px;padding:0 12px;content-visibility:auto;contain-intrinsic-size:auto 20px}.line:target{background:var(--busybg)}.line .n{color:var(--dim);text-decoration:none;min-width:4ch;text-align:right;user-select:none;flex:none}.line .n:hover{color:var(--accent)}.line .t{color:var(--dim);user-select:none;white-space:nowrap}.line .x{white-space:pre-wrap;overflow-wrap:anywhere;min-width:0}.line.bad .x{color:var(--bad)}
        .line.hit{box-shadow:inset 3px 0 var(--swap)}.line.hit.at{background:var(--busybg)}
        .found{margin:6px 0;padding:0;list-style:none}.found li{display:flex;gap:12px;font-family:ui-monospace,Menlo,"DejaVu Sans Mono",monospace;font-size:13px}.found a{min-width:5ch;text-align:right}.found span{white-space:pre-wrap;overflow-wrap:anywhere;min-width:0}
        .b{font-weight:700}.i{font-style:italic}.u{text-decoration:underline}
        .c0,.c8{color:var(--c0)}.c1,.c9{color:var(--c1)}.c2,.c10{color:var(--c2)}.c3,.c11{color:var(--c3)}.c4,.c12{color:var(--c4)}.c5,.c13{color:var(--c5)}.c6,.c14{color:var(--c6)}.c7,.c15{color:var(--c7)}

        .plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));gap:14px;margin:8px 0}.plot{border:1px solid var(--line);border-radius:8px;padding:10px 12px;min-width:0}.plot .now{float:right;font-size:13px;color:var(--dim);font-variant-numeric:tabular-nums}
        .plot svg{display:block;width:100%;height:90px;margin-top:6px;overflow:visible}.plot path{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke;stroke-linejoin:round}.plot .axis{stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke}.plot .mark{stroke:var(--dim);stroke-dasharray:3 3;vector-effect:non-scaling-stroke}
        .plot .scale{display:flex;justify-content:space-between;color:var(--dim);font-size:12px}
        path.s0{stroke:var(--s0)}path.s1{stroke:var(--s1)}path.s2{stroke:var(--s2)}path.s3{stroke:var(--s3)}path.low{opacity:.55;stroke-dasharray:2 2}
        .legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;color:var(--dim);margin:0}.legend i{display:inline-block;width:12px;height:3px;vertical-align:middle;margin-right:6px;border-radius:2px}i.s0{background:var(--s0)}i.s1{background:var(--s1)}i.s2{background:var(--s2)}i.s3{background:var(--s3)}

        @media(max-width:720px){.tabs{gap:0 13px;font-size:14px}.top{padding:8px 14px;gap:4px 14px}.top nav{gap:4px 14px;order:3;flex-basis:100%}.top button{padding:4px 0}.bar h2{flex-basis:100%}.find{flex-basis:100%}.find input{flex:1}main{padding:12px 14px 30px}footer{padding:10px 14px}.head h1{flex-basis:100%}
        .cards,.cards tbody,.cards tr,.cards td,.cards tbody th{display:block}.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        .cards tr{border:1px solid var(--line);border-radius:8px;padding:8px 12px;margin-bottom:10px}.cards tbody th{white-space:normal}
        .cards td,.cards tbody th{border:0;padding:2px 0 2px 100px;position:relative;min-height:24px}.cards td::before,.cards tbody th::before{content:attr(data-label);color:var(--dim);font-weight:400;position:absolute;left:0;font-size:13px}
        .acts{text-align:left}.acts:empty{display:none!important}.facts>div{grid-template-columns:92px 1fr}.line{gap:8px;padding:0 8px}.line .t{display:none}button,.button{padding:8px 14px}tbody .acts button,tbody .acts .button{padding:5px 12px}.command .copy{padding:4px 8px}}
        @media(prefers-reduced-motion:no-preference){.state.busy{animation:busy 1.6s ease-in-out infinite}@keyframes busy{50%{background:var(--idlebg)}}}
        """#
}
