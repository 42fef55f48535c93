"""A small server on this machine, for tests of downloads."""

import contextlib
import http.server
import threading


@contextlib.contextmanager
def serving(files, announce=None):
    """Serve `files` (name to bytes); yields the address and the list of names asked for.

    `announce` maps a name to the length that is announced, so that the connection ends too early.
    """
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            asked.append(name)
            if name not in files:
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.send_header("Content-Length", str((announce or {}).get(name, len(files[name]))))
            self.end_headers()
            self.wfile.write(files[name])

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
