# SPDX-License-Identifier: Apache-2.0
"""What a bundler does: the script gets a name that tells its content, and the page that name."""

import hashlib
import shutil
from pathlib import Path

shutil.rmtree("dist", ignore_errors=True)
Path("dist/assets").mkdir(parents=True)
script = Path("src/app.js").read_bytes()
name = f"assets/app.{hashlib.sha256(script).hexdigest()[:12]}.js"
Path("dist", name).write_bytes(script)
Path("dist/index.html").write_text(Path("src/index.html").read_text().replace("assets/app.js", name))
print(f"made dist/index.html and dist/{name}")
