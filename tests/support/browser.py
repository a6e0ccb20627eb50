"""A real headless Chromium, driven by the Chrome DevTools Protocol; it notes every address that it is asked for.

Source: https://chromedevtools.github.io/devtools-protocol/ (domains Target, Page, Network, Runtime).
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.up import wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ANSWER_SECONDS = 60.0


def find_browser() -> str | None:
    """Find a Chromium on PATH."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Page:
    """One tab. `addresses` are all that it, its workers and its sockets asked for."""

    _socket: ClientConnection
    addresses: list[str] = field(default_factory=list)
    _session: str | None = None
    _calls: int = 0

    def open(self, url: str) -> None:
        """Go to an address."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Network.enable")
        self.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Answer the value of a JavaScript expression; a promise's when it is one."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Evaluate until the value is true, and answer it."""
        return wait_until(expression, lambda: self.evaluate(expression), report=self.text)

    def click(self, selector: str) -> None:
        """Click on the element that a CSS selector finds, once it is there."""
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def write(self, selector: str, text: str) -> None:
        """Replace what stands in a field or an editor."""
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self._press(key="a", code="KeyA", windowsVirtualKeyCode=65, modifiers=2, commands=["selectAll"])
        self.call("Input.insertText", text=text)
        for _ in range(4):  # quotes and brackets that an editor closes by itself
            self._press(key="Delete", code="Delete", windowsVirtualKeyCode=46)

    def text(self) -> str:
        """Answer the visible text."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def _press(self, **key: object) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **key)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send one command and answer its result; what happens meanwhile is noted."""
        number = self._send(method, parameters, self._session)
        while True:
            message = json.loads(self._socket.recv(timeout=ANSWER_SECONDS))
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _send(self, method: str, parameters: Mapping[str, object], session: str | None) -> int:
        self._calls += 1
        command = {"id": self._calls, "method": method, "params": parameters}
        self._socket.send(json.dumps(command if session is None else {**command, "sessionId": session}))
        return self._calls

    def _note(self, message: Mapping[str, Any]) -> None:
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.addresses.append(message["params"]["request"]["url"])
            case "Network.webSocketCreated":
                self.addresses.append(message["params"]["url"])
            case "Target.attachedToTarget":
                self._send("Network.enable", {}, message["params"]["sessionId"])


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Page]:
    """Run a Chromium with a profile of its own that can reach this machine only."""
    command = [
        program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder}",
        "--remote-debugging-port=0", "--window-size=1400,2400", "about:blank",
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        with connect(_endpoint(folder), max_size=None, open_timeout=ANSWER_SECONDS) as socket:
            yield Page(socket)
    finally:
        process.kill()
        process.wait()


def _endpoint(folder: Path) -> str:
    """Answer the address of the browser's socket, which it writes down when it is ready."""
    active = folder / "DevToolsActivePort"
    port, path = wait_until("Chromium", lambda: active.exists() and active.read_text().split()) or ("", "")
    return f"ws://127.0.0.1:{port}{path}"
