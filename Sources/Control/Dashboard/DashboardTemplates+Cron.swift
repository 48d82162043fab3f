// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// Types with a schedule, and what ran.
    static let cron: [String: String] = [
        "_schedules": #"""
        {{#hasSchedules}}<table class="cards"><caption class="hidden">Schedules</caption>
        <thead><tr><th scope="col">Type</th><th scope="col">Schedule</th><th scope="col">Next (UTC)</th><th scope="col">Last</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>{{#schedules}}<tr>
        <th scope="row" data-label="Type">{{type}}</th>
        <td data-label="Schedule"><code>{{schedule}}</code> <span class="dim">{{zone}}</span></td>
        <td data-label="Next (UTC)">{{next}}{{#there}} <span class="dim">{{.}} there</span>{{/there}}</td>
        <td data-label="Last">{{#running}}<span class="state busy">{{.}} runs</span> {{/running}}{{#last}}<span class="state {{tone}}">{{state}}</span> <span class="dim">{{at}}</span>{{/last}}{{^last}}<span class="dim">–</span>{{/last}}</td>
        <td data-label="Actions" class="acts">{{#mayDeploy}}<form method="post" action="{{cron}}"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="type" value="{{type}}"><button>Run now<span class="hidden"> {{type}}</span></button></form>{{/mayDeploy}}</td>
        </tr>{{/schedules}}</tbody></table>{{/hasSchedules}}
        """#,
        "cron": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <h1>Schedules</h1>
        <div id="schedules" data-fresh>
        {{#suspended}}<p class="note">Suspended: nothing is due.</p>{{/suspended}}
        {{^suspended}}{{^hasSchedules}}<p class="note">Nothing that is live has a schedule.</p>{{/hasSchedules}}{{/suspended}}
        {{> _schedules}}
        </div>
        <h2>Runs</h2>
        <div id="runs" data-fresh>
        {{^hasRuns}}<p class="note">None yet.</p>{{/hasRuns}}
        {{#hasRuns}}<table class="cards"><caption class="hidden">Runs, newest first</caption>
        <thead><tr><th scope="col">Run</th><th scope="col">Result</th><th scope="col">Due (UTC)</th><th scope="col">Release</th><th scope="col">Took</th></tr></thead>
        <tbody>{{#runs}}<tr>
        <th scope="row" data-label="Run">{{#log}}<a href="{{.}}">{{name}}<span class="hidden">, its log</span></a>{{/log}}{{^log}}{{name}}{{/log}}</th>
        <td data-label="Result"><span class="state {{tone}}">{{result}}</span></td>
        <td data-label="Due (UTC)">{{due}}{{#by}} <span class="dim">{{by}}</span>{{/by}}</td>
        <td data-label="Release"><a href="{{releasePath}}">{{release}}</a></td>
        <td data-label="Took">{{#took}}{{.}}{{/took}}{{^took}}<span class="dim">–</span>{{/took}}</td>
        </tr>{{/runs}}</tbody></table>{{/hasRuns}}
        </div>
        {{/main}}{{/layout}}
        """#,
    ]
}
