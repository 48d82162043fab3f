// SPDX-License-Identifier: Apache-2.0

extension ProjectRules {
    private static let lists = [
        "requirements.txt", "pyproject.toml", "Pipfile", "poetry.lock", "uv.lock",
        "requirements/production.txt",
    ]
    private static let modules = [
        "app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "application.py", "api.py", "app/main.py",
        "app/app.py",
        "app/__init__.py", "src/main.py", "src/app.py",
    ]

    /// The scripts of a virtual environment name the directory that it was made in, and the artifact is elsewhere: it is
    /// started by its interpreter, which finds its packages beside itself.
    private static let interpreter = ".venv/bin/python"

    private static let install: [ProjectRule.Choice] = [
        .init(name: "uv", when: [.file("uv.lock")], command: "uv sync --frozen --no-dev"),
        .init(
            name: "Poetry", when: [.file("poetry.lock")],
            command: "POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --only main --no-interaction"),
        .init(
            name: "Pipenv", when: [.file("Pipfile.lock")],
            command: "PIPENV_VENV_IN_PROJECT=1 pipenv install --deploy"),
        .init(
            name: "pip", when: [.file("requirements.txt")],
            command: "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"),
        .init(
            name: "pip", when: [.file("pyproject.toml")],
            command: "python3 -m venv .venv && .venv/bin/pip install ."),
    ]

    private static let facts: [ProjectRule.Fact] = [
        .init(
            "venv", .file(["uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "pyproject.toml"])),
        .init(
            "asgi",
            .pattern(
                modules,
                #"^([A-Za-z_]\w*)\s*(?::\s*\w+\s*)?=\s*(?:\w+\.)?(?:FastAPI|Starlette|Litestar|Quart)\("#)),
        .init(
            "wsgi", .pattern(modules, #"^([A-Za-z_]\w*)\s*(?::\s*\w+\s*)?=\s*(?:\w+\.)?(?:Flask|Bottle)\("#)),
        .init("factory", .pattern(modules, #"^def (create_app)\("#)),
        .init(
            "project",
            .pattern(["manage.py"], #"DJANGO_SETTINGS_MODULE["']\s*,\s*["']([A-Za-z_]\w*)\.settings"#)),
        .init("script", .file(["main.py", "app.py", "server.py", "run.py"])),
    ]

    static let django = ProjectRule(
        name: "Python", marks: ["manage.py"], facts: facts, steps: [install],
        starts: [
            .init(
                name: "Django, gunicorn", when: [.known("venv"), .mentions(lists, "gunicorn")],
                command: "\(interpreter) -m gunicorn {project}.wsgi --bind \"$HOST:$PORT\"", notes: [migrate]),
            .init(
                name: "Django, uvicorn", when: [.known("venv"), .mentions(lists, "uvicorn")],
                command:
                    "\(interpreter) -m uvicorn {project}.asgi:application --host \"$HOST\" --port \"$PORT\"",
                notes: [migrate]),
            .init(
                name: "Django", when: [.known("venv"), .known("project")],
                command: "\(interpreter) manage.py runserver --noreload \"$HOST:$PORT\"",
                notes: [
                    "runserver is for development: add gunicorn to what is installed, and start it with"
                        + " \(interpreter) -m gunicorn PROJECT.wsgi --bind \"$HOST:$PORT\"", migrate,
                ]),
        ])
    private static let migrate =
        "\"release\": { \"command\": \"\(interpreter) manage.py migrate --noinput\" } runs migrations before each release."

    static let python = ProjectRule(
        name: "Python",
        marks: ["requirements.txt", "pyproject.toml", "Pipfile", "main.py", "app.py", "server.py"],
        facts: facts,
        steps: [install],
        starts: [
            .init(
                name: "FastAPI", when: [.known("asgi"), .mentions(lists, "fastapi")],
                command: "\(interpreter) -m uvicorn {asgi.module}:{asgi} --host \"$HOST\" --port \"$PORT\""),
            .init(
                name: "uvicorn", when: [.known("asgi"), .known("venv")],
                command: "\(interpreter) -m uvicorn {asgi.module}:{asgi} --host \"$HOST\" --port \"$PORT\""),
            .init(
                name: "gunicorn", when: [.known("wsgi"), .mentions(lists, "gunicorn")],
                command: "\(interpreter) -m gunicorn {wsgi.module}:{wsgi} --bind \"$HOST:$PORT\""),
            .init(
                name: "gunicorn", when: [.known("factory"), .mentions(lists, "gunicorn")],
                command: "\(interpreter) -m gunicorn \"{factory.module}:create_app()\" --bind \"$HOST:$PORT\""
            ),
            .init(
                name: "Flask", when: [.known("wsgi"), .mentions(lists, "flask")],
                command: "\(interpreter) -m flask --app {wsgi.module} run --host \"$HOST\" --port \"$PORT\"",
                notes: [flask]),
            .init(
                name: "Flask", when: [.known("factory"), .mentions(lists, "flask")],
                command:
                    "\(interpreter) -m flask --app {factory.module} run --host \"$HOST\" --port \"$PORT\"",
                notes: [flask]),
            .init(when: [.known("venv")], command: "\(interpreter) {script}"),
            .init(command: "python3 {script}"),
        ])
    private static let flask =
        "flask run is for development: add gunicorn to what is installed, and run kinto init again."
}
