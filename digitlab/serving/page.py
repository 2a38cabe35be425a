"""The page that describes the service, made from its OpenAPI schema; it loads nothing from afar.

FastAPI's own page takes its scripts from a content delivery network, so that it stays empty where
there is no internet.
"""

from html import escape
from string import Template

PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }
pre, code { background: #f2f2f2; padding: 0 0.2rem; overflow-x: auto }
th { text-align: left; padding-right: 1rem; vertical-align: top }
</style>
<h1>$title</h1>
<p>$description The schema, for programs: <a href="openapi.json">openapi.json</a>.</p>
<h2>Try it</h2>
<p><label>A WAV file: <input type="file" accept=".wav,audio/wav"></label></p>
<pre aria-live="polite"></pre>
$operations
<script src="docs.js"></script>
</html>
""")
OPERATION = Template("""\
<h2><code>$method $path</code></h2>
<p>$description</p>
<table>$rows</table>
""")
ROW = Template("<tr><th>$status</th><td>$description</td></tr>")
SCRIPT = """\
const answer = document.querySelector("pre");
document.querySelector("input").addEventListener("change", async ({ target }) => {
  if (!target.files.length) return;
  answer.textContent = "...";
  try {
    const response = await fetch("predict", { method: "POST", body: target.files[0] });
    answer.textContent = `${response.status}\\n${JSON.stringify(await response.json(), null, 1)}`;
  } catch (error) {
    answer.textContent = `The service does not answer (${error.message}).`;
  }
  target.value = "";
});
"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'"
}


def page(schema: dict) -> str:
    """Return the page for an OpenAPI schema.

    Parameters
    ----------
    schema : dict
        What ``FastAPI.openapi`` returns.

    Returns
    -------
    str
        HTML. All text is escaped.

    Examples
    --------
    >>> schema = {"info": {"title": "<Digits>", "description": ""}, "paths": {}}
    >>> "<h1>&lt;Digits&gt;</h1>" in page(schema)
    True
    """
    operations = [
        _operation(method, path, about)
        for path, methods in schema["paths"].items()
        for method, about in methods.items()
    ]
    info = {key: escape(schema["info"][key]) for key in ("title", "description")}
    return PAGE.substitute(info, operations="".join(operations))


def _operation(method: str, path: str, about: dict) -> str:
    rows = [
        ROW.substitute(status=escape(status), description=escape(response["description"]))
        for status, response in about["responses"].items()
    ]
    return OPERATION.substitute(
        method=escape(method.upper()),
        path=escape(path),
        description=escape(about["description"]),
        rows="".join(rows),
    )
