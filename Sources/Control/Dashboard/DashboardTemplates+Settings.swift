// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// What operators set of an environment.
    static let settings: [String: String] = [
        "config": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <h1>Configuration</h1>
        <p class="dim">A change makes a new release of what is live, rolled out the same way. Values of secrets are never shown here.</p>
        {{#hasVariables}}
        <table class="cards">
        <caption class="hidden">Variables</caption>
        <thead><tr><th scope="col">Name</th><th scope="col">Value</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>{{#variables}}<tr><th scope="row" data-label="Name"><code>{{variable}}</code></th><td data-label="Value">{{#secret}}<span class="dim">secret ••••••</span>{{/secret}}{{^secret}}<code>{{value}}</code>{{/secret}}</td><td class="acts" data-label="Actions">{{#mayDeploy}}<form method="post" action="{{path}}/config"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="unset" value="{{variable}}"><button>Unset<span class="hidden"> {{variable}}</span></button></form>{{/mayDeploy}}</td></tr>{{/variables}}</tbody>
        </table>
        {{/hasVariables}}
        {{^hasVariables}}<p class="note">No variable is set.</p>{{/hasVariables}}
        {{#mayDeploy}}<h2>Set a variable</h2>
        <form method="post" action="{{path}}/config" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="variable">Name</label><input id="variable" name="variable" value="{{asked}}" required autocomplete="off" spellcheck="false" pattern="[A-Za-z_][A-Za-z0-9_]*">
        <label for="value">Value</label><textarea id="value" name="value" rows="2" spellcheck="false"></textarea>
        <label class="check"><input type="checkbox" name="secret" value="1"> secret: sealed, never shown again</label>
        <div class="actions"><button class="main">Set</button></div></form>{{/mayDeploy}}
        {{/main}}{{/layout}}
        """#,
        "settings": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <h1>Settings</h1>
        <h2>What deploys it</h2>
        {{^isAdmin}}<dl class="facts">
        <div><dt>Deployed by</dt><dd>{{pattern}}{{^auto}}, by hand{{/auto}}</dd></div>
        <div><dt>Protected</dt><dd>{{#protect}}yes{{/protect}}{{^protect}}no{{/protect}}</dd></div>
        </dl>{{/isAdmin}}
        {{#isAdmin}}<form method="post" action="{{path}}/settings" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        {{> _pattern}}
        <label class="check"><input type="checkbox" name="auto" value="1"{{#auto}} checked{{/auto}}> pushes deploy it</label>
        <label class="check"><input type="checkbox" name="protect" value="1"{{#protect}} checked{{/protect}}> protected: deployed by a promotion, or by hand with its name typed</label>
        <div class="actions"><button class="main">Save</button></div></form>{{/isAdmin}}
        <h2>Requests</h2>
        {{^mayDeploy}}<dl class="facts">
        {{#types}}<div><dt>{{label}}</dt><dd>{{running}} running{{#isScaled}}, {{scale}} wanted{{/isScaled}}; kinto.json says {{wanted}}</dd></div>{{/types}}
        <div><dt>State</dt><dd>{{#suspended}}suspended {{/suspended}}{{#paused}}paused {{/paused}}{{#closed}}closed for maintenance {{/closed}}{{#isOpen}}open{{/isOpen}}</dd></div>
        </dl>{{/mayDeploy}}
        {{#mayDeploy}}<ul class="switches">
        {{#types}}<li><form method="post" action="{{path}}/scale" class="line-form"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="type" value="{{type}}"><div><label for="instances-{{type}}">{{label}}</label><p class="dim" id="instances-help-{{type}}">{{running}} running. Empty: what kinto.json says, {{wanted}}.</p></div><input id="instances-{{type}}" name="instances" type="number" min="0" max="100" value="{{scale}}" aria-describedby="instances-help-{{type}}"><button>Scale<span class="hidden"> {{type}}</span></button></form></li>{{/types}}
        <li>{{#paused}}<form method="post" action="{{path}}/unpause" class="line-form"><input type="hidden" name="csrf" value="{{csrf}}"><div><strong>Paused</strong><p class="dim">Requests wait.</p></div><button>Let requests in</button></form>{{/paused}}{{^paused}}<form method="post" action="{{path}}/pause" class="line-form"><input type="hidden" name="csrf" value="{{csrf}}"><div><strong>Pause</strong><p class="dim">Requests wait until they are let in; nothing is stopped.</p></div><button>Pause</button></form>{{/paused}}</li>
        <li><form method="post" action="{{path}}/maintenance" class="line-form"><input type="hidden" name="csrf" value="{{csrf}}">{{#closed}}<div><strong>Closed for maintenance</strong><p class="dim">Visitors get 503 with Retry-After.</p></div><button>Open again</button>{{/closed}}{{^closed}}<input type="hidden" name="on" value="1"><div><strong>Maintenance</strong><p class="dim">Visitors get 503 with Retry-After; the service runs on.</p></div><button>Close</button>{{/closed}}</form></li>
        <li>{{#suspended}}<form method="post" action="{{path}}/resume" class="line-form"><input type="hidden" name="csrf" value="{{csrf}}"><div><strong>Suspended</strong><p class="dim">Nothing runs. It is started again without a build.</p></div><button>Resume</button></form>{{/suspended}}{{^suspended}}<details><summary>Suspend…</summary><form method="post" action="{{path}}/suspend" class="line-form"><input type="hidden" name="csrf" value="{{csrf}}"><div><p>Its instances are stopped and visitors get an error until it is resumed. Nothing is lost.</p></div><button class="danger">Suspend {{name}}</button></form></details>{{/suspended}}</li>
        </ul>{{/mayDeploy}}
        {{#isAdmin}}<h2>Remove</h2>
        {{#production}}<p>Production goes with its service only: <a href="{{root}}#remove">remove {{service}}</a>.</p>{{/production}}
        {{^production}}<details class="danger"><summary>Remove this environment…</summary>
        <form method="post" action="{{path}}/remove" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <p>It is stopped, and its releases, configuration, logs and artifacts are removed. It cannot be taken back.</p>
        <label for="remove">Type <code>{{name}}</code> to remove it</label><input id="remove" name="confirm" required autocomplete="off" spellcheck="false">
        <div class="actions"><button class="danger">Remove {{name}}</button></div></form></details>{{/production}}{{/isAdmin}}
        {{/main}}{{/layout}}
        """#,
    ]
}
