"""Firefox without a window, spoken to by WebDriver BiDi: a few commands over one websocket."""

import contextlib
import json
import re
import shutil
import subprocess
import time

PREFERENCES = {
    "media.navigator.streams.fake": True,  # a microphone that plays a tone
    "media.navigator.permission.disabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "services.settings.server": "data:,#nothing",  # it asks nobody for its settings
}
SECONDS = 60  # for an answer, at most


def program():
    """Return the path of Firefox, or None."""
    return shutil.which("firefox") or shutil.which("firefox-esr")


class Firefox:
    """A browser with one tab.

    Parameters
    ----------
    profile : pathlib.Path
        An empty folder.
    **preferences
        Besides those above, with ``_`` for a point.
    """

    def __init__(self, profile, **preferences):
        import websocket

        lines = (
            f"user_pref({json.dumps(name.replace('_', '.'))}, {json.dumps(value)});"
            for name, value in (PREFERENCES | preferences).items()
        )
        (profile / "user.js").write_text("\n".join(lines))
        command = [program(), "--headless", "--no-remote", "--profile", str(profile)]
        command += ["--remote-debugging-port", "0", "about:blank"]
        log = profile / "log.txt"  # a pipe that nobody reads would fill and stop it
        with log.open("w") as file:
            self.process = subprocess.Popen(command, stderr=file)
        for _ in range(10 * SECONDS):
            if match := re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read_text()):
                break
            time.sleep(0.1)
        address = match[1]
        self.socket = websocket.create_connection(
            f"{address}/session", timeout=SECONDS, suppress_origin=True
        )
        self.number = 0
        self.send("session.new", capabilities={})
        self.tab = self.send("browsingContext.getTree")["contexts"][0]["context"]

    def send(self, method, **parameters):
        """Send a command and return its result."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.number:
            pass  # an event
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['message']}")
        return answer["result"]

    def goto(self, address):
        self.send("browsingContext.navigate", context=self.tab, url=address, wait="complete")

    def evaluate(self, script):
        """Return what an expression of JavaScript gives, when it is there."""
        result = self.send(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({script})) ?? 'null')()",
            target={"context": self.tab},
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    def wait_for(self, condition):
        """Wait in the page until an expression is true."""
        self.evaluate(
            "new Promise((done, fail) => {"
            f"  setTimeout(fail, {1000 * SECONDS - 5000}, new Error('it did not become true'));"
            f"  setInterval(() => ({condition}) && done(), 50); }})"
        )

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=SECONDS)
