// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// Pages that show what a change would do before it is confirmed.
    static let changes: [String: String] = [
        "_history": #"""
        {{#brings}}<h2>{{count}} new</h2>{{> _commits}}{{/brings}}
        {{#takes}}<h2>{{count}} taken back</h2>{{> _commits}}{{/takes}}
        """#,
        "_commits": #"""
        <ul class="commits">{{#commits}}<li><code>{{commit}}</code> {{subject}} <span class="dim">{{author}}</span></li>{{/commits}}</ul>{{#more}}<p class="dim">and {{more}} before them</p>{{/more}}
        """#,
        "_change": #"""
        <ul class="difference">{{#difference}}<li><code>{{.}}</code></li>{{/difference}}</ul>
        """#,
        "deploy": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <h1>Deploy {{name}}</h1>
        <dl class="facts">
        {{#live}}<div><dt>Live now</dt><dd>{{> _commit}}</dd></div>{{/live}}{{^live}}<div><dt>Live now</dt><dd class="dim">nothing</dd></div>{{/live}}
        <div><dt>Deployed by</dt><dd>{{pattern}}</dd></div>
        </dl>
        {{#history}}{{#none}}<p class="note">There is nothing new in the repository.</p>{{/none}}{{> _history}}{{/history}}
        <form method="post" action="{{path}}/deploy" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="ref">Branch, tag or commit</label><input id="ref" name="ref" value="{{ref}}" autocomplete="off" spellcheck="false" aria-describedby="ref-help"><p class="dim" id="ref-help">Empty: the newest of what deploys it. A commit must be part of that.</p>
        <label class="check"><input type="checkbox" name="no-cache" value="1"{{#noCache}} checked{{/noCache}}> without caches</label>
        <label class="check"><input type="checkbox" name="force" value="1"{{#force}} checked{{/force}}> also when there is nothing new</label>
        {{#protected}}<label for="confirm">It is protected: type <code>{{name}}</code> to deploy it</label><input id="confirm" name="confirm" required autocomplete="off" spellcheck="false">{{/protected}}
        <div class="actions"><button class="main">Deploy</button> <a class="button" href="{{path}}">Leave it</a></div></form>
        {{/main}}{{/layout}}
        """#,
        "promote": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <h1>Promote {{name}} from {{from}}</h1>
        {{#changed}}<p class="note bad" role="alert">What is live has changed since this page was loaded: look at it again.</p>{{/changed}}
        {{^hasOthers}}<p class="note">There is no other environment.</p>{{/hasOthers}}
        {{#several}}<form method="get" action="{{path}}/promote" class="line-form"><label for="to">To</label> <select id="to" name="to">{{#others}}<option value="{{environment}}"{{#chosen}} selected{{/chosen}}>{{environment}}</option>{{/others}}</select> <button>Show what changes</button></form>{{/several}}
        {{#plan}}
        <dl class="facts">
        <div><dt>Brings</dt><dd>{{#brings}}{{> _commit}}{{/brings}}</dd></div>
        <div><dt>Live in {{to}}</dt><dd>{{#live}}{{> _commit}}{{/live}}{{^live}}<span class="dim">nothing</span>{{/live}}</dd></div>
        </dl>
        {{#older}}<p class="note bad">This goes back to commits that are older than what is live in {{to}}.</p>{{/older}}
        <h2>Commits</h2>
        {{#hasCommits}}<p>{{count}} new in {{to}}:</p><ul class="commits">{{#commits}}<li>{{.}}</li>{{/commits}}</ul>{{#more}}<p class="dim">and {{more}} before them</p>{{/more}}{{/hasCommits}}
        {{^hasCommits}}<p>No commit is new there.</p>{{/hasCommits}}
        <h2>Configuration</h2>
        {{#hasDifferences}}<ul class="difference">{{#differences}}<li><code>{{.}}</code></li>{{/differences}}</ul><p class="dim">{{to}} beside {{from}}: + only in {{to}}, - only in {{from}}, ~ another value. It runs with the configuration of {{to}}; values are not shown.</p>{{/hasDifferences}}
        {{^hasDifferences}}<p>The same variables with the same values.</p>{{/hasDifferences}}
        <p class="dim">The artifact is taken as it is: nothing is built.</p>
        <form method="post" action="{{path}}/promote"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="to" value="{{to}}"><input type="hidden" name="number" value="{{number}}"><input type="hidden" name="over" value="{{over}}">
        <div class="actions"><button class="main">Promote release {{number}} to {{to}}</button> <a class="button" href="{{path}}">Leave it</a></div></form>
        {{/plan}}
        {{/main}}{{/layout}}
        """#,
        "rollback": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <h1>Roll back {{name}} to release {{number}}?</h1>
        <dl class="facts">
        {{#live}}<div><dt>Live now</dt><dd>{{> _commit}}</dd></div>{{/live}}
        <div><dt>Comes back</dt><dd>{{#chosen}}{{> _commit}}{{/chosen}}</dd></div>
        </dl>
        {{#history}}{{> _history}}{{/history}}
        {{#sameCommit}}<p>Both are of the same commit.</p>{{/sameCommit}}
        <h2>Configuration</h2>
        <form method="post" action="{{path}}/rollback"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="number" value="{{number}}">
        {{#same}}{{^hasDifference}}<p>The same variables with the same values.</p>{{/hasDifference}}{{#hasDifference}}{{> _change}}{{/hasDifference}}{{/same}}
        {{^same}}<fieldset class="choice"><legend class="hidden">Configuration</legend>
        <label><input type="radio" name="current" value="0" checked> <strong>the one that release {{number}} had</strong></label>
        <div>{{^hasDifference}}<p class="dim">no change</p>{{/hasDifference}}{{#hasDifference}}{{> _change}}{{/hasDifference}}</div>
        <label><input type="radio" name="current" value="1"> <strong>today's configuration instead</strong></label>
        <div>{{^hasToday}}<p class="dim">no change</p>{{/hasToday}}{{#hasToday}}<ul class="difference">{{#today}}<li><code>{{.}}</code></li>{{/today}}</ul>{{/hasToday}}</div>
        </fieldset>{{/same}}
        <p class="dim">Beside what is live now: + added, - gone, ~ changed. Values are not shown. A new release is made of the artifact that is kept: nothing is built.</p>
        {{^available}}<p class="note bad">The artifact of release {{number}} is not kept any more. <a href="{{path}}/deploy?ref={{#chosen}}{{id}}{{/chosen}}">Build its commit again…</a></p>{{/available}}
        <div class="actions">{{#available}}<button class="main">Roll back to release {{number}}</button> {{/available}}<a class="button" href="{{path}}">Leave it</a></div></form>
        {{/main}}{{/layout}}
        """#,
    ]
}
